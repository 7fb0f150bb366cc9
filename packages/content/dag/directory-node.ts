import { VerifyError } from '#core/failure';
import { CODEC, decodeCid, type CidParts } from '../cid/cid-bytes.ts';
import { invalid } from './dag-walk.ts';
import { decodeUnixfsNode, UNIXFS_TYPE, type DagLink, type UnixfsNode } from './unixfs-node.ts';
import { blockName, type VerifiedBlocks } from './verified-blocks.ts';

/** One name of a directory. */
export interface DirectoryEntry {
  readonly name: string;
  readonly cid: CidParts;
  /** Bytes below, as the directory claims; undefined when it says nothing. */
  readonly tsize: number | undefined;
}

/** Shards of 2 to 1024 places; common is 256. */
const MAX_FANOUT = 1024;
const MURMUR3_X64_64 = 0x22;
const HASH_BITS = 64;
/** Directories within directories that are followed. */
export const MAX_NESTING = 32;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The entry of that name, through basic and HAMT directories; of several with one name the first.
 *
 * @returns undefined when the directory does not have it
 * @throws VerifyError `invalid-dag` when `cid` is a file or breaks the rules, `unsupported` for a symbolic link
 */
export async function findEntry(
  cid: CidParts,
  name: string,
  source: VerifiedBlocks,
): Promise<DirectoryEntry | undefined> {
  const where = blockName(cid);
  const node = directoryNode(where, await readNode(cid, where, source));
  if (node.type === UNIXFS_TYPE.directory) {
    const link = node.links.find((candidate) => linkName(where, candidate) === name);
    return link === undefined ? undefined : entryOf(where, link, name);
  }
  return findInShard(where, node, name, source);
}

/** All entries of one directory, every shard included; of several with one name the first. */
export async function allEntries(where: string, node: UnixfsNode, source: VerifiedBlocks): Promise<DirectoryEntry[]> {
  const entries = new Map<string, DirectoryEntry>();
  const visit = async (shardName: string, shard: UnixfsNode, depth: number): Promise<void> => {
    const prefix = shard.type === UNIXFS_TYPE.hamt ? shardShape(shardName, shard).prefixLength : 0;
    for (const link of shard.links) {
      const whole = linkName(shardName, link);
      if (prefix > 0 && whole.length === prefix) {
        const child = linkCid(shardName, link);
        await visit(...(await subShard(shardName, child, depth, source)), depth + 1);
        continue;
      }
      const name = checkedName(shardName, whole.slice(prefix));
      if (!entries.has(name)) entries.set(name, entryOf(shardName, link, name));
    }
  };
  await visit(where, node, 0);
  return [...entries.values()];
}

/** Fetches and decodes one dag-pb node. */
export async function readNode(cid: CidParts, where: string, source: VerifiedBlocks): Promise<UnixfsNode> {
  if (cid.codec !== CODEC.dagPb) throw invalid(where, 'it is a file, not a directory');
  return decodeUnixfsNode(await source.get(cid, where));
}

/** @throws VerifyError unless the node is a directory of either kind */
export function directoryNode(where: string, node: UnixfsNode): UnixfsNode {
  if (node.type === UNIXFS_TYPE.directory || node.type === UNIXFS_TYPE.hamt) return node;
  if (node.type === UNIXFS_TYPE.symlink)
    throw new VerifyError('unsupported', `${where} is a symbolic link: it is not followed`);
  throw invalid(where, 'it is a file, not a directory');
}

async function findInShard(
  rootName: string,
  root: UnixfsNode,
  name: string,
  source: VerifiedBlocks,
): Promise<DirectoryEntry | undefined> {
  const { murmur3x64 } = await import('../digest/murmur3.ts');
  const hash = murmur3x64(Buffer.from(name));
  let where = rootName;
  let node = root;
  for (let depth = 0; ; depth += 1) {
    const { bits, prefixLength } = shardShape(where, node);
    const shift = HASH_BITS - bits * (depth + 1);
    if (shift < 0) throw invalid(rootName, 'its shards are deeper than the hash');
    const place = Number((hash >> BigInt(shift)) & BigInt((1 << bits) - 1));
    const prefix = place.toString(16).toUpperCase().padStart(prefixLength, '0');
    const names = node.links.map((link) => linkName(where, link));
    const exact = names.indexOf(prefix + name);
    if (exact >= 0) return entryOf(where, node.links[exact]!, name);
    const below = names.indexOf(prefix);
    if (below < 0) return undefined;
    [where, node] = await subShard(where, linkCid(where, node.links[below]!), depth, source);
  }
}

async function subShard(
  parent: string,
  cid: CidParts,
  depth: number,
  source: VerifiedBlocks,
): Promise<[string, UnixfsNode]> {
  if (depth >= MAX_NESTING) throw invalid(parent, `its shards are deeper than ${MAX_NESTING}`);
  const where = blockName(cid);
  const node = await readNode(cid, where, source);
  if (node.type !== UNIXFS_TYPE.hamt) throw invalid(parent, 'a shard links to something that is no shard');
  return [where, node];
}

function shardShape(where: string, node: UnixfsNode): { bits: number; prefixLength: number } {
  const fanout = node.fanout ?? 0;
  const bits = Math.log2(fanout);
  if (!Number.isInteger(bits) || bits < 1 || fanout > MAX_FANOUT)
    throw invalid(where, `a HAMT fanout of ${fanout} is not a power of two up to ${MAX_FANOUT}`);
  if (node.hashType !== MURMUR3_X64_64)
    throw new VerifyError('unsupported', `${where} is a HAMT with hash ${node.hashType}: only murmur3-x64-64 is known`);
  return { bits, prefixLength: (fanout - 1).toString(16).length };
}

function entryOf(where: string, link: DagLink, name: string): DirectoryEntry {
  return { name, cid: linkCid(where, link), tsize: link.tsize };
}

function linkCid(where: string, link: DagLink): CidParts {
  try {
    return decodeCid(link.hash);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw invalid(where, `a link is not a CID: ${cause.message}`);
  }
}

function linkName(where: string, link: DagLink): string {
  try {
    return utf8.decode(link.name);
  } catch {
    throw invalid(where, 'a name is not UTF-8');
  }
}

/** Names that would leave their folder, or be two names, never come out of here. */
export function checkedName(where: string, name: string): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0'))
    throw invalid(where, `it has an entry named ${JSON.stringify(name)}`);
  return name;
}
