import type { SourceState } from './source-state.ts';
import type { SpanBoard } from './span-board.ts';

/** A source that has given nothing yet is tried at so many places of the file before it is left. */
const FIRST_PROBES = 4;

/**
 * A source that holds only parts of a file says so block by block. What it does not have is not asked of it again; what
 * follows is set aside, more of it with each miss in a row, so that a hole of any length costs few questions.
 *
 * @returns false when it has nothing that is missing here: then it is as good as one that has nothing at all
 */
export function missesBlock(board: SpanBoard, state: SourceState, unit: number): boolean {
  const { index } = state;
  const { count } = board.grid;
  board.withhold(unit, index);
  state.missesInARow += 1;
  const doubled = 2 ** Math.min(30, state.missesInARow) - 1;
  const skipped = state.acceptedLeaves > 0 ? doubled : Math.max(doubled, Math.floor(count / FIRST_PROBES));
  board.setAside(unit + 1, Math.min(count, unit + 1 + skipped), index);
  return board.mayServe(index) || readmitsParts(board, state);
}

/** @returns true when there is something again that the source may be asked for: it has shown that it holds parts */
export function readmitsParts(board: SpanBoard, state: SourceState): boolean {
  if (!state.hasGiven) return false;
  state.hasGiven = false;
  state.missesInARow = 0;
  return board.readmit(state.index);
}
