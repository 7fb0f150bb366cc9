import { CODEC, cidBytes, cidText, type CidParts } from '../cid/cid-bytes.ts';
import { concat } from '../cid/byte-reader.ts';
import { tryParseCid } from '../cid/cid.ts';
import { murmur3x64 } from '../digest/murmur3.ts';
import { hashFunction, SHA2_256 } from '../digest/multihash.ts';
import { encodeDirectoryNode, encodeShardNode, SHARD_BITS, type NamedLink } from './unixfs-encode.ts';

/** A file of a folder whose DAG is known. */
export interface DagFile {
  /** `/`-separated. */
  readonly path: string;
  /** Canonical. */
  readonly cid: string;
  /** Bytes of all blocks of its DAG, as links count them. */
  readonly tsize: number;
}

export interface FolderDag {
  /** Canonical. */
  readonly cid: string;
  /** Directory blocks by canonical CID. */
  readonly blocks: ReadonlyMap<string, Uint8Array>;
}

interface Folder {
  readonly files: Map<string, DagFile>;
  readonly folders: Map<string, Folder>;
}

/** A longer directory is sharded: its block counts with links of version 1, the names and CIDs in it with version 0. @see IPIP-499 */
const MAX_PLAIN_BYTES = 256 * 1024;
const HASH_BITS = 64;

interface Built {
  readonly cid: string;
  readonly tsize: number;
}

/**
 * Builds the directory blocks around files, as `ipfs add -r` does: with links of version 1 by the profile `unixfs-v1-2025`, with links of
 * version 0 by `unixfs-v0-2015`.
 *
 * @param cidVersion of the links to dag-pb nodes
 * @returns undefined where a name is a file and a folder, or names of one directory have the same hash
 */
export function folderDag(files: readonly DagFile[], cidVersion: 0 | 1): FolderDag | undefined {
  const root = treeOf(files);
  if (root === undefined) return undefined;
  const blocks = new Map<string, Uint8Array>();
  const put = (block: Uint8Array, links: readonly NamedLink[]): Built => {
    const cid = cidText(CODEC.dagPb, SHA2_256, hashFunction(SHA2_256).hash(block));
    blocks.set(cid, block);
    return { cid, tsize: links.reduce((sum, link) => sum + link.tsize, block.length) };
  };
  const linkTo = (name: string, { cid, tsize }: Built): NamedLink => ({ name, cid: linkBytes(cid, cidVersion), tsize });
  const build = (folder: Folder): Built | undefined => {
    const links = [...folder.files].map(([name, file]) => linkTo(name, file));
    for (const [name, below] of folder.folders) {
      const built = build(below);
      if (built === undefined) return undefined;
      links.push(linkTo(name, built));
    }
    const block = encodeDirectoryNode(links);
    if ((cidVersion === 1 ? block.length : bytesOfLinks(links)) <= MAX_PLAIN_BYTES) return put(block, links);
    return buildShard(
      links.map((link) => ({ link, hash: murmur3x64(Buffer.from(link.name)) })),
      { put, linkTo },
    );
  };
  const built = build(root);
  return built && { cid: built.cid, blocks };
}

const bytesOfLinks = (links: readonly NamedLink[]): number =>
  links.reduce((sum, { name, cid }) => sum + Buffer.byteLength(name) + cid.length, 0);

interface PlacedLink {
  readonly link: NamedLink;
  readonly hash: bigint;
}

interface ShardBuilding {
  readonly put: (block: Uint8Array, links: readonly NamedLink[]) => Built;
  readonly linkTo: (name: string, built: Built) => NamedLink;
}

/** @param depth how many places of the hash the shards above have used. @returns undefined where no place is left to tell two names apart */
function buildShard(placed: readonly PlacedLink[], building: ShardBuilding, depth = 0): Built | undefined {
  const shift = HASH_BITS - SHARD_BITS * (depth + 1);
  if (shift < 0) return undefined;
  const places = new Map<number, PlacedLink[]>();
  for (const one of placed) {
    const place = Number(BigInt.asUintN(SHARD_BITS, one.hash >> BigInt(shift)));
    places.set(place, [...(places.get(place) ?? []), one]);
  }
  const links = new Map<number, NamedLink>();
  for (const [place, there] of [...places].sort(([a], [b]) => a - b)) {
    const prefix = place
      .toString(16)
      .toUpperCase()
      .padStart(SHARD_BITS / 4, '0');
    const [{ link }] = there as [PlacedLink];
    const below = there.length === 1 ? undefined : buildShard(there, building, depth + 1);
    if (there.length > 1 && below === undefined) return undefined;
    links.set(place, below === undefined ? { ...link, name: prefix + link.name } : building.linkTo(prefix, below));
  }
  return building.put(encodeShardNode(links), [...links.values()]);
}

function treeOf(files: readonly DagFile[]): Folder | undefined {
  const root: Folder = { files: new Map(), folders: new Map() };
  for (const file of files) {
    const names = file.path.split('/');
    const last = names.pop()!;
    let at = root;
    for (const name of names) {
      if (at.files.has(name)) return undefined;
      const below = at.folders.get(name) ?? { files: new Map(), folders: new Map() };
      at.folders.set(name, below);
      at = below;
    }
    if (at.folders.has(last)) return undefined;
    at.files.set(last, file);
  }
  return root;
}

/** A link of version 0 is a bare multihash, which only SHA-256 of dag-pb has. */
function linkBytes(cid: string, cidVersion: 0 | 1): Uint8Array {
  const parts = tryParseCid(cid) as CidParts;
  const isPlain = parts.codec === CODEC.dagPb && parts.hashCode === SHA2_256;
  return cidVersion === 0 && isPlain ? concat([Uint8Array.of(SHA2_256, 32), parts.digest]) : cidBytes(cid);
}
