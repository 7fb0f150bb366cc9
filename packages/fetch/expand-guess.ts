import type { BuiltLeafTable } from '#content/leaf/build-leaf-table';
import { repairOf, withRepairs, type LeafRepair } from '#content/leaf/leaf-repair';
import { leafBytesAt, leafCid, unwrapLeafBlock } from '#content/leaf/leaf-block';
import { parseCid } from '#content/cid/cid';
import { blockMatches } from '#content/cid/cid-bytes';
import { ExhaustedError } from '#core/failure';
import { MIB } from '#core/units';
import { sameBytes } from '#content/cid/byte-reader';
import { FRAMING, type LeafTable } from '#content/leaf/leaf-table';
import type { FileOperations } from '#transfer/disk/file-operations';
import { leafGrid } from '#transfer/plan/grid';
import { bitOf, decodeJournal, MAX_JOURNAL_BYTES } from '#transfer/disk/journal';
import { journalPathOf } from '#transfer/disk/partial';
import { LeafError } from '#transfer/proof/bad-leaf';
import type { BlockFetcher } from './block-fetcher.ts';

const MAX_BLOCK_BYTES = 2 * MIB;

/** After this many right guesses in a row the following ones are assumed right. */
const RIGHT_IN_A_ROW = 32;

export interface GuessOptions {
  readonly blocks: BlockFetcher;
  /** Leaves that lie proven on the disk, about which the table is right. Called only when a guess was wrong. */
  readonly proven: () => Promise<(leaf: number) => boolean>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Checks whether a transfer failed because the table only guessed that a dag-pb link is a leaf: fetches that block and expands the table
 * when the block is an inner node or framed in an unusual way. One wrong guess makes others likely: from that leaf in both directions the
 * guessed leaves that are longer than the pieces of that node are checked as well, until many in a row were right.
 *
 * @returns the next table, or undefined when the table is right
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

/** @returns undefined when the leaf is as in the table, or no source gives its block */
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

/** A suspect may be a leaf that a source sent wrong, so every suspect is checked until a wrong guess is found. */
async function firstWrongGuess(suspects: readonly number[], look: Look): Promise<LeafRepair | undefined> {
  for (const suspect of suspects) {
    const found = await look(suspect);
    if (found) return found;
  }
  return undefined;
}

/** @returns undefined when no source gives the block either: then the first failure is reported */
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

/**
 * Tells which leaves of the table lie proven in a partial that is not being written.
 *
 * @returns a function that is always false where no journal of this table can be read
 */
export async function provenLeaves(
  partialPath: string,
  table: LeafTable,
  { readSmall }: Pick<FileOperations, 'readSmall'>,
): Promise<(leaf: number) => boolean> {
  // An unreadable journal proves nothing here; the next transfer reports the failure.
  const bytes = await readSmall(journalPathOf(partialPath), MAX_JOURNAL_BYTES).catch(() => undefined);
  const reading = decodeJournal(bytes);
  if (!reading.ok || !sameBytes(reading.journal.gridHash, leafGrid(table).hash)) return () => false;
  const { bitmap } = reading.journal;
  return (leaf) => bitOf(bitmap, leaf);
}
