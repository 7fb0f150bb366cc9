import { MIB } from '#core/units';
import { VerifyError } from '#core/failure';
import { parseCid } from '../cid/cid.ts';
import { CODEC, type CidParts } from '../cid/cid-bytes.ts';
import {
  invalid,
  ownLeaves,
  readFileNode,
  refuseTooMany,
  walkInnerNodes,
  type FileNode,
  type PieceCount,
  type WalkLimits,
} from '../dag/dag-walk.ts';
import { LeafColumns } from './leaf-columns.ts';
import type { LeafTable } from './leaf-table.ts';
import { blockName, verifiedBlocks, type FetchBlock, type VerifiedBlocks } from '../dag/verified-blocks.ts';

export interface LeafTableOptions {
  /** Longest block, leaf or node; bytes; default 2 MiB, at most 8 MiB. */
  readonly maxBlockBytes?: number | undefined;
  /** All inner nodes together; bytes; default 64 MiB. */
  readonly maxInnerBytes?: number | undefined;
  /** Default 2^22. */
  readonly maxLeaves?: number | undefined;
  /** Levels below the root; default 8. */
  readonly maxDepth?: number | undefined;
  /** Longest file; bytes; default 1 PiB. Checked at the root, before anything else is fetched. */
  readonly maxFileBytes?: number | undefined;
  /** Requests at once; default 8. */
  readonly parallel?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Inner nodes so far: those verified, and those known to exist. */
  readonly onProgress?: ((nodes: { done: number; found: number }) => void) | undefined;
  /** Inner blocks of an earlier run, by canonical CID; verified before use. With all of them nothing is fetched. */
  readonly innerBlocks?: ReadonlyMap<string, Uint8Array> | undefined;
}

export interface BuiltLeafTable {
  readonly table: LeafTable;
  /** Every verified inner block by canonical CID, for serving and for the next start. */
  readonly innerBlocks: ReadonlyMap<string, Uint8Array>;
}

const MAX_BLOCK_BYTES_EVER = 8 * MIB;

/**
 * Builds the leaf table of a file from verified inner nodes only (docs/rules/ipfs.md, "Building the leaf table").
 *
 * A file of one block has its bytes in the table (`known`): the length of a single raw block is unknown until it is here.
 *
 * @param cid as pasted; a path must have been resolved first (resolve-path.ts)
 * @throws VerifyError `is-directory`, `invalid-dag` (permanent: the content is at fault), `unsupported`,
 *   `leaf-unobtainable` (no answer was the block); RangeError for a text that is no CID; and whatever `fetchBlock` throws
 */
export async function buildLeafTable(
  cid: string | CidParts,
  fetchBlock: FetchBlock,
  options: LeafTableOptions = {},
): Promise<BuiltLeafTable> {
  const root = typeof cid === 'string' ? parseCid(cid) : cid;
  return withBlocks(fetchBlock, options, async (blocks, limits) => {
    const table = await tableOf(root, blocks, limits, options);
    return { table, innerBlocks: blocks.blocks };
  });
}

/** Runs one walk: its limits, its verified blocks, and a signal that ends every request with it. */
export async function withBlocks<T>(
  fetchBlock: FetchBlock,
  options: LeafTableOptions,
  work: (blocks: VerifiedBlocks, limits: WalkLimits) => Promise<T>,
): Promise<T> {
  const limits = limitsOf(options);
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const blocks = verifiedBlocks(fetchBlock, {
    maxBlockBytes: limits.maxBlockBytes,
    maxTotalBytes: options.maxInnerBytes ?? 64 * MIB,
    signal,
    cache: options.innerBlocks,
  });
  try {
    options.signal?.throwIfAborted();
    return await work(blocks, limits);
  } finally {
    stop.abort();
  }
}

/** Every limit, with its default where none is given. */
export function limitsOf(options: LeafTableOptions): WalkLimits {
  return {
    maxBlockBytes: Math.min(options.maxBlockBytes ?? 2 * MIB, MAX_BLOCK_BYTES_EVER),
    maxDepth: options.maxDepth ?? 8,
    maxLeaves: options.maxLeaves ?? 2 ** 22,
    maxFileBytes: options.maxFileBytes ?? 2 ** 50,
  };
}

/** The walk below any root, a leaf to be expanded included. */
export async function tableOf(
  root: CidParts,
  blocks: VerifiedBlocks,
  limits: WalkLimits,
  options: LeafTableOptions,
): Promise<LeafTable> {
  const name = blockName(root);
  if (root.codec === CODEC.raw) return rawTable(root, name, blocks, limits);
  if (root.codec !== CODEC.dagPb)
    throw new VerifyError('unsupported', `${name} has codec 0x${root.codec.toString(16)}: a file is raw or dag-pb`);
  const rootNode = readFileNode(name, await blocks.get(root, name), limits);
  refuseTooLong(rootNode.pieces.sizeBytes, limits);
  const nodes = await walkInnerNodes(rootNode, blocks, limits, options.parallel ?? 8, (done, found) =>
    options.onProgress?.({ done, found }),
  );
  measure(rootNode, nodes, limits);
  const columns = new LeafColumns();
  collect(rootNode, nodes, columns);
  return columns.toTable(name);
}

/** One raw block: its length is unknown until it is here, so the table carries its bytes. Nothing is asked for an empty one. */
async function rawTable(root: CidParts, name: string, blocks: VerifiedBlocks, limits: WalkLimits): Promise<LeafTable> {
  const columns = new LeafColumns();
  const bytes = await blocks.get(root, name);
  refuseTooLong(bytes.length, limits);
  if (bytes.length > 0) columns.pushWithoutDigest(bytes.length, bytes);
  return columns.toTable(name);
}

/** Checks sizes, depth and the number of leaves before anything is allocated for them; each node once. */
function measure(root: FileNode, nodes: ReadonlyMap<string, FileNode>, limits: WalkLimits): void {
  const measured = new Map<string, PieceCount & { readonly height: number }>();
  const visit = (node: FileNode, depth: number): PieceCount & { readonly height: number } => {
    const before = measured.get(node.name);
    if (depth + (before?.height ?? 0) > limits.maxDepth)
      throw invalid(root.name, `it is deeper than ${limits.maxDepth} levels`);
    if (before !== undefined) return before;
    let [leaves, known, height] = [ownLeaves(node), node.pieces.known.size, 0];
    for (const [index, link] of node.inner) {
      const child = nodes.get(link.name)!;
      refuseOtherSize(node, index, child);
      const below = visit(child, depth + 1);
      leaves += below.leaves;
      known += below.known;
      height = Math.max(height, below.height + 1);
    }
    const result = { leaves, known, height };
    measured.set(node.name, result);
    return result;
  };
  refuseTooMany(visit(root, 0), limits);
}

function refuseOtherSize(node: FileNode, index: number, child: FileNode): void {
  const [listed, found] = [node.pieces.bytesAt(index), child.pieces.sizeBytes];
  if (found !== listed) throw invalid(node.name, `its child of ${found} bytes is listed as ${listed}`);
}

function collect(node: FileNode, nodes: ReadonlyMap<string, FileNode>, into: LeafColumns): void {
  let from = 0;
  for (const [index, link] of node.inner) {
    into.append(node.pieces, from, index);
    collect(nodes.get(link.name)!, nodes, into);
    from = index + 1;
  }
  into.append(node.pieces, from, node.pieces.count);
}

function refuseTooLong(bytes: number, limits: WalkLimits): void {
  if (bytes > limits.maxFileBytes)
    throw new VerifyError('unsupported', `the file has ${bytes} bytes, over the limit of ${limits.maxFileBytes}`);
}
