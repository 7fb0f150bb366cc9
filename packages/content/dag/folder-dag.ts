import { CODEC, cidBytes, cidText, type CidParts } from '../cid/cid-bytes.ts';
import { concat } from '../cid/byte-reader.ts';
import { tryParseCid } from '../cid/cid.ts';
import { hashFunction, SHA2_256 } from '../digest/multihash.ts';
import { encodeDirectoryNode, type NamedLink } from './unixfs-encode.ts';

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

/** A directory with more bytes is sharded by the common builders, in ways that differ. @see IPIP-499 */
const MAX_PLAIN_BYTES = 256 * 1024;

/**
 * Builds the directory blocks around files, as `ipfs add -r` does for folders that need no shards.
 *
 * @param cidVersion of the links to dag-pb nodes
 * @returns undefined where a directory would need shards, or a name is a file and a folder
 */
export function folderDag(files: readonly DagFile[], cidVersion: 0 | 1): FolderDag | undefined {
  const root = treeOf(files);
  if (root === undefined) return undefined;
  const blocks = new Map<string, Uint8Array>();
  const build = (folder: Folder): { cid: string; tsize: number } | undefined => {
    const links: NamedLink[] = [];
    for (const [name, { cid, tsize }] of folder.files) links.push({ name, cid: linkBytes(cid, cidVersion), tsize });
    for (const [name, below] of folder.folders) {
      const built = build(below);
      if (built === undefined) return undefined;
      links.push({ name, cid: linkBytes(built.cid, cidVersion), tsize: built.tsize });
    }
    const block = encodeDirectoryNode(links);
    if (block.length > MAX_PLAIN_BYTES) return undefined;
    const cid = cidText(CODEC.dagPb, SHA2_256, hashFunction(SHA2_256).hash(block));
    blocks.set(cid, block);
    return { cid, tsize: links.reduce((sum, link) => sum + link.tsize, block.length) };
  };
  const built = build(root);
  return built && { cid: built.cid, blocks };
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
