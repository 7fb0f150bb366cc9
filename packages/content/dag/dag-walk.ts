import { VerifyError } from '#core/failure';
import { CODEC, decodeCid, type CidParts } from '../cid/cid-bytes.ts';
import { LeafColumns } from '../leaf/leaf-columns.ts';
import { FRAMING } from '../leaf/leaf-table.ts';
import { IDENTITY } from '../digest/multihash.ts';
import { decodeUnixfsNode, UNIXFS_TYPE, type DagLink, type UnixfsNode } from './unixfs-node.ts';
import { blockName, type VerifiedBlocks } from './verified-blocks.ts';

/** A link to a further node of the DAG: it has to be fetched and verified before it tells its pieces. */
export interface InnerLink {
  readonly cid: CidParts;
  readonly name: string;
}

/** A verified inner node: its pieces in file order. */
export interface FileNode {
  readonly name: string;
  /** Leaves and carried bytes; a place that is a further node stands in `inner`. */
  readonly pieces: LeafColumns;
  readonly inner: ReadonlyMap<number, InnerLink>;
}

export interface WalkLimits {
  /** Longest block; bytes. Up to 8 MiB may be allowed because old builders could make such leaves. */
  readonly maxBlockBytes: number;
  readonly maxDepth: number;
  readonly maxLeaves: number;
  /** Longest file; bytes. */
  readonly maxFileBytes: number;
}

/** Pieces of a file, and how many of them the DAG carries itself. */
export interface PieceCount {
  readonly leaves: number;
  readonly known: number;
}

/** Each carried piece is an object of its own, while other leaves are rows of flat arrays. Real files have a few. */
const MAX_KNOWN_PIECES = 2 ** 16;

/** A dag-pb leaf costs 8 to 14 bytes over its data; an inner node at least 45 per child (docs/rules/ipfs.md). */
const LEAF_OVERHEAD_MAX = 32;
const LEAF_OVERHEAD_MIN = 6;

/**
 * Decodes one verified block of a file's DAG.
 *
 * @throws VerifyError `invalid-dag`, `is-directory`, `unsupported`
 */
export function readFileNode(name: string, block: Uint8Array, limits: WalkLimits): FileNode {
  const node = decodeUnixfsNode(block);
  refuseOtherTypes(name, node);
  const { links, blocksizes, data } = node;
  if (links.length !== blocksizes.length)
    throw invalid(name, `it has ${links.length} links and ${blocksizes.length} block sizes`);
  const pieces = new LeafColumns();
  const inner = new Map<number, InnerLink>();
  if (data.length > 0) pieces.pushWithoutDigest(data.length, data);
  links.forEach((link, index) => {
    if (link.name.length > 0) throw invalid(name, 'a link of a file has a name');
    const bytes = blocksizes[index]!;
    if (bytes > 0) addPiece({ name, pieces, inner }, link, bytes, limits);
  });
  if (!Number.isSafeInteger(pieces.sizeBytes)) throw invalid(name, 'its block sizes add up beyond 2^53');
  if (node.filesize !== undefined && node.filesize !== pieces.sizeBytes)
    throw invalid(name, `it claims ${node.filesize} bytes and its pieces add up to ${pieces.sizeBytes}`);
  return { name, pieces, inner };
}

/**
 * Fetches and verifies every inner node below a root, level by level, each once however often it is linked.
 *
 * @param parallel requests at once
 * @param onNode called after each node
 * @returns the nodes by canonical CID, the root's own included
 */
export async function walkInnerNodes(
  root: FileNode,
  source: VerifiedBlocks,
  limits: WalkLimits,
  parallel: number,
  onNode: (done: number, found: number) => void,
): Promise<Map<string, FileNode>> {
  const nodes = new Map([[root.name, root]]);
  let total: PieceCount = { leaves: 0, known: 0 };
  /** Each node stands in the file at least once: what the nodes have together is the least that the file has. */
  const count = (node: FileNode): void => {
    total = { leaves: total.leaves + ownLeaves(node), known: total.known + node.pieces.known.size };
    refuseTooMany(total, limits);
  };
  count(root);
  let level = unmetLinks([root], nodes);
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > limits.maxDepth) throw invalid(root.name, `it is deeper than ${limits.maxDepth} levels`);
    const found = nodes.size + level.length;
    const arrived: FileNode[] = [];
    await eachOf(level, parallel, async ({ cid, name }) => {
      const node = readFileNode(name, await source.get(cid, name), limits);
      count(node);
      nodes.set(name, node);
      arrived.push(node);
      onNode(nodes.size, found);
    });
    level = unmetLinks(arrived, nodes);
  }
  return nodes;
}

/** Pieces of a node that are no further nodes. */
export const ownLeaves = (node: FileNode): number => node.pieces.count - node.inner.size;

/** @throws VerifyError `unsupported` beyond the limits, so that nothing is allocated for a bomb */
export function refuseTooMany({ leaves, known }: PieceCount, limits: Pick<WalkLimits, 'maxLeaves'>): void {
  if (leaves > limits.maxLeaves)
    throw new VerifyError('unsupported', `the file has ${leaves} leaves, over the limit of ${limits.maxLeaves}`);
  if (known > MAX_KNOWN_PIECES)
    throw new VerifyError(
      'unsupported',
      `the DAG carries ${known} pieces of the file itself, over the limit of ${MAX_KNOWN_PIECES}`,
    );
}

/** Links to nodes not met yet, each once. */
function unmetLinks(parents: readonly FileNode[], met: ReadonlyMap<string, FileNode>): InnerLink[] {
  const fresh = new Map<string, InnerLink>();
  for (const parent of parents)
    for (const link of parent.inner.values()) if (!met.has(link.name)) fresh.set(link.name, link);
  return [...fresh.values()];
}

/** Runs the work on every item in a few lanes; the first failure stops all and is thrown when they have stopped. */
async function eachOf<T>(items: readonly T[], parallel: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const item = items[next]!;
      next += 1;
      await work(item).catch((error: unknown) => {
        next = items.length;
        throw error;
      });
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: Math.min(parallel, items.length) }, lane));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

interface NodeInProgress {
  readonly name: string;
  readonly pieces: LeafColumns;
  readonly inner: Map<number, InnerLink>;
}

function addPiece({ name, pieces, inner }: NodeInProgress, link: DagLink, bytes: number, limits: WalkLimits): void {
  const cid = linkCid(name, link);
  if (cid.codec === CODEC.raw) addRaw(name, pieces, cid, bytes, limits);
  else if (cid.codec !== CODEC.dagPb) throw invalid(name, `a link has codec 0x${cid.codec.toString(16)}`);
  else if (cid.hashCode !== IDENTITY && isLeaf(link, bytes, limits))
    pieces.pushLeaf(bytes, FRAMING.pbUnknown, cid.hashCode, cid.digest);
  else {
    inner.set(pieces.count, { cid, name: blockName(cid) });
    pieces.pushWithoutDigest(bytes);
  }
}

function addRaw(name: string, pieces: LeafColumns, cid: CidParts, bytes: number, limits: WalkLimits): void {
  if (cid.hashCode === IDENTITY) {
    if (cid.digest.length !== bytes)
      throw invalid(name, `an inline leaf of ${cid.digest.length} bytes is listed as ${bytes}`);
    pieces.pushWithoutDigest(bytes, cid.digest);
    return;
  }
  if (bytes > limits.maxBlockBytes) throw tooLong(bytes, limits);
  pieces.pushLeaf(bytes, FRAMING.raw, cid.hashCode, cid.digest);
}

/** Decides without fetching whether a dag-pb link is a leaf; a wrong guess is repaired by `repairOf`. */
function isLeaf(link: DagLink, bytes: number, limits: WalkLimits): boolean {
  const fits = bytes + LEAF_OVERHEAD_MIN <= limits.maxBlockBytes;
  if (link.tsize === undefined) return fits;
  const overhead = link.tsize - bytes;
  if (overhead > LEAF_OVERHEAD_MAX) return false;
  if (!fits && overhead >= LEAF_OVERHEAD_MIN) throw tooLong(bytes, limits);
  return fits;
}

function linkCid(parent: string, link: DagLink): CidParts {
  try {
    return decodeCid(link.hash);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new VerifyError('invalid-dag', `${parent} breaks the rules: a link is not a CID: ${cause.message}`, {
      cause,
    });
  }
}

function refuseOtherTypes(name: string, node: UnixfsNode): void {
  if (node.type === UNIXFS_TYPE.file || node.type === UNIXFS_TYPE.raw) return;
  if (node.type === UNIXFS_TYPE.directory || node.type === UNIXFS_TYPE.hamt) {
    const entries = node.type === UNIXFS_TYPE.hamt ? `at least ${node.links.length}` : `${node.links.length}`;
    throw new VerifyError(
      'is-directory',
      `${name} is a directory with ${entries} entries: name the file, /ipfs/${name}/<path>`,
    );
  }
  if (node.type === UNIXFS_TYPE.symlink)
    throw new VerifyError('unsupported', `${name} is a symbolic link: it is not followed`);
  throw new VerifyError('unsupported', `${name} has UnixFS type ${node.type}: only files are read`);
}

const tooLong = (bytes: number, limits: WalkLimits): VerifyError =>
  new VerifyError(
    'unsupported',
    `a leaf of ${bytes} bytes is longer than ${limits.maxBlockBytes}: add the file again with smaller chunks, or raise maxBlockBytes (at most 8 MiB)`,
  );

export const invalid = (name: string, reason: string): VerifyError =>
  new VerifyError('invalid-dag', `${name} breaks the rules: ${reason}`);
