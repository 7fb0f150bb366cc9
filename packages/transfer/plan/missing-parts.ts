import type { SourceState } from '../run/source-state.ts';
import type { SpanBoard } from './span-board.ts';

/** A source that has given nothing yet is tried at so many places of the file before it is left. */
const FIRST_PROBES = 4;

/**
 * A source that holds only parts of a file says so block by block. What it does not have is not asked of it again; what
 * follows is set aside, more of it with each miss in a row, so that a hole of any length costs few questions.
 *
 * @returns false when it gave nothing wherever it was tried: then it is as good as one that has nothing at all
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

/** @returns true when there is something again that the source may be asked for: it has given something since the last time */
export function readmitsParts(board: SpanBoard, { index, parts }: SourceState): boolean {
  if (!parts.hasGiven) return false;
  parts.hasGiven = false;
  parts.missesInARow = 0;
  return board.readmit(index);
}

/** Nobody else is left: each source that holds parts is asked for every block that was only set aside. */
export function asksEachPart(board: SpanBoard, states: readonly SourceState[]): boolean {
  const holders = states.filter(({ isLeft, parts }) => !isLeft && parts.hits > 0 && !parts.asksEach);
  for (const { parts } of holders) parts.asksEach = true;
  return holders.filter(({ index }) => board.readmit(index)).length > 0;
}
