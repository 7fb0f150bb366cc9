import type { SourceState } from '../run/source-state.ts';
import type { SpanBoard } from './span-board.ts';

/** A source that has sent no block yet is tried at this many places of the file before it is not asked again. */
const FIRST_PROBES = 4;

/**
 * A source that holds only parts of a file shows that block by block. A missing block is not requested again; the blocks after it are set
 * aside, more of them with each miss in a row, so that a hole of any length costs few requests.
 *
 * @returns false when the source had no block anywhere it was tried
 */
export function missesBlock(board: SpanBoard, state: SourceState, unit: number): boolean {
  const { index, parts } = state;
  board.withhold(unit, index);
  parts.misses += 1;
  parts.missesInARow += 1;
  if (parts.asksEach) return true;
  const doubled = 2 ** Math.min(30, parts.missesInARow) - 1;
  const skipped = parts.hits > 0 ? doubled : Math.max(doubled, Math.floor(board.grid.count / FIRST_PROBES));
  board.setAside(unit + 1, Math.min(board.grid.count, unit + 1 + skipped), index);
  return parts.hits > 0 || board.mayServe(index);
}

/** Offers set-aside blocks again if the source has sent a block since the last time. @returns true when there are such blocks */
export function readmitsParts(board: SpanBoard, { index, parts }: SourceState): boolean {
  if (!parts.hasGiven) return false;
  parts.hasGiven = false;
  parts.missesInARow = 0;
  return board.readmit(index);
}

/** The last resort, when no other source remains: asks each source that holds parts for every block that was only set aside. */
export function asksEachPart(board: SpanBoard, states: readonly SourceState[]): boolean {
  const holders = states.filter(({ isLeft, parts }) => !isLeft && parts.hits > 0 && !parts.asksEach);
  for (const { parts } of holders) parts.asksEach = true;
  return holders.filter(({ index }) => board.readmit(index)).length > 0;
}
