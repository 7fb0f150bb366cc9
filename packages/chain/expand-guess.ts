import type { BuiltLeafTable } from '#content/build-leaf-table';
import { expandLeaf } from '#content/expand-leaf';
import { leafBytesAt, leafCid, unwrapLeafBlock } from '#content/leaf-block';
import { FRAMING } from '#content/leaf-table';
import { parseCid } from '#content/cid';
import { blockMatches } from '#content/cid-bytes';
import { ExhaustedError } from '#core/failure';
import { MIB } from '#core/units';
import { LeafError } from '#transfer/leaf-error';
import type { BlockFetcher } from './block-fetcher.ts';

const MAX_BLOCK_BYTES = 2 * MIB;

/**
 * Looks whether a transfer failed because the table only guessed that a dag-pb link is a leaf: fetches that block and, when it is
 * an inner node or framed in an unusual way, expands the table. One wrong guess makes others likely: every guessed leaf that is
 * longer than the pieces of that node is looked at as well.
 *
 * @returns the next table, or undefined when the table is not to blame
 */
export async function expandGuess(
  error: unknown,
  built: BuiltLeafTable,
  blocks: BlockFetcher,
  signal: AbortSignal = new AbortController().signal,
): Promise<BuiltLeafTable | undefined> {
  const found = await firstWrongGuess(suspectsOf(error), built, blocks, signal);
  if (!found) return undefined;
  let { table, innerBlocks } = found;
  for (let leaf = 0; leaf < table.count;) {
    const isLong = leafBytesAt(table, leaf) > found.longestPieceBytes;
    const next = isLong ? await expandLeafAt(leaf, { table, innerBlocks }, blocks, signal) : undefined;
    if (next) ({ table, innerBlocks } = next);
    leaf += next?.replacedBy ?? 1;
  }
  return { table, innerBlocks };
}

interface Expanded extends BuiltLeafTable {
  readonly replacedBy: number;
  /** Of the leaves that stand where the one stood. */
  readonly longestPieceBytes: number;
}

/** @returns undefined when the leaf is what the table says, or nobody gives its block */
async function expandLeafAt(
  leaf: number,
  { table, innerBlocks }: BuiltLeafTable,
  blocks: BlockFetcher,
  signal: AbortSignal,
): Promise<Expanded | undefined> {
  if (table.framing[leaf] !== FRAMING.pbUnknown) return undefined;
  const block = await fetchLeafBlock(leafCid(table, leaf)!, blocks, signal);
  if (block === undefined || unwrapLeafBlock(table, leaf, block).is !== 'unexpected-shape') return undefined;
  const expanded = await expandLeaf(table, leaf, block, blocks.fetchBlock, { signal, innerBlocks });
  const pieces = Array.from({ length: expanded.replacedBy }, (_, index) => leafBytesAt(expanded.table, leaf + index));
  return {
    table: expanded.table,
    innerBlocks: new Map([...innerBlocks, ...expanded.innerBlocks]),
    replacedBy: expanded.replacedBy,
    longestPieceBytes: pieces.reduce((a, b) => Math.max(a, b), 0),
  };
}

function suspectsOf(error: unknown): readonly number[] {
  if (error instanceof LeafError) return [error.leafIndex];
  return error instanceof ExhaustedError ? error.refusedLeaves : [];
}

/** A leaf may be refused because a source lied, and stand before one that the table is wrong about. */
async function firstWrongGuess(
  suspects: readonly number[],
  built: BuiltLeafTable,
  blocks: BlockFetcher,
  signal: AbortSignal,
): Promise<Expanded | undefined> {
  for (const suspect of suspects) {
    const found = await expandLeafAt(suspect, built, blocks, signal);
    if (found) return found;
  }
  return undefined;
}

/** @returns undefined when nobody gives the block either: then the first failure stands */
async function fetchLeafBlock(cid: string, blocks: BlockFetcher, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const parts = parseCid(cid);
  const verify = (bytes: Uint8Array): boolean => blockMatches(parts, bytes);
  try {
    return await blocks.fetchBlock(cid, { maxBytes: MAX_BLOCK_BYTES, signal, attempt: 1, verify });
  } catch (error) {
    if (error instanceof ExhaustedError) return undefined;
    throw error;
  }
}
