import { VerifyError } from '#core/failure';
import { MIB } from '#core/units';
import { CODEC, type CidParts } from '../cid/cid-bytes.ts';
import { parseCid } from '../cid/cid.ts';
import { invalid, readFileNode } from './dag-walk.ts';
import { allEntries, directoryNode, findEntry, MAX_NESTING, readNode, type DirectoryEntry } from './directory-node.ts';
import { IDENTITY } from '../digest/multihash.ts';
import { UNIXFS_TYPE } from './unixfs-node.ts';
import { blockName, verifiedBlocks, type FetchBlock, type VerifiedBlocks } from './verified-blocks.ts';

export interface ResolveOptions {
  readonly signal?: AbortSignal | undefined;
  /** Default 2 MiB. */
  readonly maxBlockBytes?: number | undefined;
  /** All directory blocks together; bytes; default 64 MiB. */
  readonly maxInnerBytes?: number | undefined;
  /** Files in an enumeration; default 10,000. */
  readonly maxFiles?: number | undefined;
}

/**
 * Follows names below a CID through verified directory blocks, basic and HAMT, to what they name.
 *
 * @param cid as pasted; a path within the text comes before `path`
 * @param path names in order; exact, no percent-decoding
 * @returns canonical CID of what the path names; the CID itself for an empty path
 * @throws VerifyError `is-directory` when a directory has no such name (the message says how many it has),
 *   `invalid-dag` when a name is looked up in a file, `unsupported` at a symbolic link
 */
export async function resolvePath(
  cid: string,
  path: readonly string[],
  fetchBlock: FetchBlock,
  options: ResolveOptions = {},
): Promise<string> {
  const parsed = parseCid(cid);
  const source = directoryBlocks(fetchBlock, options);
  let at: CidParts = parsed;
  for (const name of [...parsed.path, ...path]) {
    checkedSegment(name);
    const entry = await findEntry(at, name, source);
    if (entry === undefined) throw await notFound(at, name, source);
    at = entry.cid;
  }
  return blockName(at);
}

/** A name that is asked for; the user's slip, not the content's. */
function checkedSegment(name: string): void {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0'))
    throw new RangeError(`${JSON.stringify(name)} is no name in a directory: write the path without "." and ".."`);
}

/**
 * Lists the names of one directory, basic or sharded; what they name is not read.
 *
 * @param cid canonical
 * @throws VerifyError `invalid-dag` for a file and for a directory that breaks the rules, `unsupported` beyond the limits
 */
export async function listDirectory(
  cid: string,
  fetchBlock: FetchBlock,
  options: ResolveOptions = {},
): Promise<DirectoryEntry[]> {
  const root = parseCid(cid);
  const source = directoryBlocks(fetchBlock, options);
  return allEntries(cid, directoryNode(cid, await readNode(root, cid, source)), source);
}

/** One file of an enumerated directory. */
export interface IpfsFile {
  /** Relative to the directory, `/`-separated. */
  readonly path: string;
  /** Canonical CID of the file. */
  readonly cid: string;
  /** Verified for dag-pb files; for a file of one raw block what the directory claims; undefined when it claims nothing. */
  readonly sizeBytes: number | undefined;
}

/**
 * Lists every file below a directory, in the order of its blocks, by verified blocks only.
 *
 * @param cid as pasted, with its path, if any
 * @throws VerifyError `invalid-dag` for names that would leave their folder (`/`, NUL, `.`, `..`), `unsupported` for
 *   symbolic links and beyond the limits
 */
export async function listFiles(
  cid: string,
  fetchBlock: FetchBlock,
  options: ResolveOptions = {},
): Promise<IpfsFile[]> {
  const root = parseCid(await resolvePath(cid, [], fetchBlock, options));
  const source = directoryBlocks(fetchBlock, options);
  const files: IpfsFile[] = [];
  const add = (file: IpfsFile): void => {
    if (files.push(file) > (options.maxFiles ?? 10_000))
      throw new VerifyError('unsupported', `${root.cid} has more than ${options.maxFiles ?? 10_000} files`);
  };
  const visit = async (where: string, at: CidParts, prefix: string, depth: number): Promise<void> => {
    if (depth > MAX_NESTING) throw invalid(root.cid, `its directories are deeper than ${MAX_NESTING}`);
    for (const entry of await allEntries(where, directoryNode(where, await readNode(at, where, source)), source)) {
      const path = prefix + entry.name;
      const file = await asFile(entry, path, source, options);
      if (file === undefined) await visit(blockName(entry.cid), entry.cid, `${path}/`, depth + 1);
      else add(file);
    }
  };
  await visit(root.cid, root, '', 0);
  return files;
}

/** @returns undefined for a directory. */
async function asFile(
  entry: DirectoryEntry,
  path: string,
  source: VerifiedBlocks,
  options: ResolveOptions,
): Promise<IpfsFile | undefined> {
  const cid = blockName(entry.cid);
  if (entry.cid.hashCode === IDENTITY && entry.cid.codec === CODEC.raw)
    return { path, cid, sizeBytes: entry.cid.digest.length };
  if (entry.cid.codec === CODEC.raw) return { path, cid, sizeBytes: entry.tsize };
  const node = await readNode(entry.cid, cid, source);
  if (node.type === UNIXFS_TYPE.directory || node.type === UNIXFS_TYPE.hamt) return undefined;
  const maxBlockBytes = options.maxBlockBytes ?? 2 * MIB;
  const limits = {
    maxBlockBytes,
    maxDepth: 1,
    maxLeaves: Number.MAX_SAFE_INTEGER,
    maxFileBytes: Number.MAX_SAFE_INTEGER,
  };
  return { path, cid, sizeBytes: readFileNode(cid, await source.get(entry.cid, cid), limits).pieces.sizeBytes };
}

const directoryBlocks = (fetchBlock: FetchBlock, options: ResolveOptions): VerifiedBlocks =>
  verifiedBlocks(fetchBlock, {
    maxBlockBytes: options.maxBlockBytes ?? 2 * MIB,
    maxTotalBytes: options.maxInnerBytes ?? 64 * MIB,
    signal: options.signal ?? new AbortController().signal,
  });

/** Says what is there instead, from the block that was read anyway: the shards of a HAMT are not fetched for a message. */
async function notFound(at: CidParts, name: string, source: VerifiedBlocks): Promise<VerifyError> {
  const where = blockName(at);
  const node = await readNode(at, where, source);
  const what = `${JSON.stringify(name)} is not in the directory ${where}, which has`;
  if (node.type === UNIXFS_TYPE.hamt)
    return new VerifyError('is-directory', `${what} at least ${node.links.length} entries`);
  const entries = await allEntries(where, node, source);
  const shown = entries.slice(0, 5).map((entry) => JSON.stringify(entry.name));
  const names = [...shown, ...(entries.length > shown.length ? ['…'] : [])].join(', ');
  return new VerifyError('is-directory', `${what} ${entries.length} entries: ${names}`);
}
