import type { BuiltLeafTable } from '#content/leaf/build-leaf-table';
import { repairOf, withRepairs, type LeafRepair } from '#content/leaf/leaf-repair';
import { leafBytesAt, leafCid, unwrapLeafBlock } from '#content/leaf/leaf-block';
import { FRAMING } from '#content/leaf/leaf-table';
import { parseCid } from '#content/cid/cid';
import { blockMatches } from '#content/cid/cid-bytes';
import { ExhaustedError } from '#core/failure';
import { MIB } from '#core/units';
import { LeafError } from '#transfer/proof/bad-leaf';
import type { BlockFetcher } from './block-fetcher.ts';

const MAX_BLOCK_BYTES = 2 * MIB;

/** So many guesses in a row that were right: those that follow probably are as well. */
const RIGHT_IN_A_ROW = 32;

export interface GuessOptions {
  readonly blocks: BlockFetcher;
  /** Which leaves lie proven on the disk: about them the table is right. Asked only when a guess was wrong. */
  readonly proven: () => Promise<(leaf: number) => boolean>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Looks whether a transfer failed because the table only guessed that a dag-pb link is a leaf: fetches that block and, when it is
 * an inner node or framed in an unusual way, expands the table. One wrong guess makes others likely: from there in both directions
 * the guessed leaves that are longer than the pieces of that node are looked at as well, until many in a row were right.
 *
 * @returns the next table, or undefined when the table is not to blame
 */
export async function expandGuess(
  error: unknown,
  built: BuiltLeafTable,
  { blocks, proven, signal = new AbortController().signal }: GuessOptions,
): Promise<BuiltLeafTable | undefined> {
  const { table } = built;
  const innerBlocks = new Map(built.innerBlocks);
  const look = async (leaf: number): Promise<LeafRepair | undefined> => {
    const repair = await lookAt(leaf, { table, innerBlocks }, blocks, signal);
    for (const [cid, block] of repair?.innerBlocks ?? []) innerBlocks.set(cid, block);
    return repair;
  };
  const first = await firstWrongGuess(suspectsOf(error), look);
  if (!first) return undefined;
  const isProven = await proven();
  const longest = longestPiece(first);
  const isDoubtful = (leaf: number): boolean => leafBytesAt(table, leaf) > longest && !isProven(leaf);
  const others = [
    ...(await wrongAlong(leavesFrom(first.leaf + 1, table.count, 1), isDoubtful, look)),
    ...(await wrongAlong(leavesFrom(first.leaf - 1, -1, -1), isDoubtful, look)),
  ];
  return {
    table: withRepairs(
      table,
      [first, ...others].toSorted((a, b) => a.leaf - b.leaf),
    ),
    innerBlocks,
  };
}

type Look = (leaf: number) => Promise<LeafRepair | undefined>;

/** @returns undefined when the leaf is what the table says, or nobody gives its block */
async function lookAt(
  leaf: number,
  { table, innerBlocks }: BuiltLeafTable,
  blocks: BlockFetcher,
  signal: AbortSignal,
): Promise<LeafRepair | undefined> {
  if (table.framing[leaf] !== FRAMING.pbUnknown) return undefined;
  const block = await fetchLeafBlock(leafCid(table, leaf)!, blocks, signal);
  if (block === undefined || unwrapLeafBlock(table, leaf, block).is !== 'unexpected-shape') return undefined;
  return repairOf(table, leaf, block, blocks.fetchBlock, { signal, innerBlocks });
}

function* leavesFrom(first: number, end: number, step: 1 | -1): Generator<number> {
  for (let leaf = first; leaf !== end; leaf += step) yield leaf;
}

async function wrongAlong(
  leaves: Iterable<number>,
  isDoubtful: (leaf: number) => boolean,
  look: Look,
): Promise<LeafRepair[]> {
  const found: LeafRepair[] = [];
  let rightInARow = 0;
  for (const leaf of leaves) {
    if (!isDoubtful(leaf)) continue;
    const repair = await look(leaf);
    if (repair) found.push(repair);
    rightInARow = repair ? 0 : rightInARow + 1;
    if (rightInARow >= RIGHT_IN_A_ROW) break;
  }
  return found;
}

function longestPiece({ part }: LeafRepair): number {
  let longest = 0;
  for (let piece = 0; piece < part.count; piece += 1) longest = Math.max(longest, leafBytesAt(part, piece));
  return longest;
}

function suspectsOf(error: unknown): readonly number[] {
  if (error instanceof LeafError) return [error.leafIndex];
  return error instanceof ExhaustedError ? error.refusedLeaves : [];
}

/** A leaf may be refused because a source lied, and stand before one that the table is wrong about. */
async function firstWrongGuess(suspects: readonly number[], look: Look): Promise<LeafRepair | undefined> {
  for (const suspect of suspects) {
    const found = await look(suspect);
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
