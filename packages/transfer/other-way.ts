import type { SourceError } from '#core/failure';
import type { SourceState } from './source-state.ts';
import type { SourceTry } from './source-try.ts';
import type { SpanBoard } from './span-board.ts';

/**
 * Some refusals only say how the source must be asked: leaf by leaf, as a whole, or for other parts.
 *
 * @returns true when the source goes on in another way, so that the refusal is no failure
 */
export function findsOtherWay(run: SourceTry, error: SourceError, board: SpanBoard | undefined): boolean {
  if (error.kind !== 'range-refused' && error.kind !== 'missing') return false;
  const { state, claim } = run;
  if (state.source.kind === 'peer' && board !== undefined && claim !== undefined) {
    for (let unit = claim.next; unit < claim.end; unit += 1) board.withhold(unit, state.index);
    return true;
  }
  return error.kind === 'range-refused' && leavesRanges(state, board);
}

/** @returns false when ranges were already given up */
function leavesRanges(state: SourceState, board: SpanBoard | undefined): boolean {
  if (state.mode !== 'range') return false;
  const hasBlocks = state.source.readBlock !== undefined && state.source.capabilities().blocks;
  state.mode = hasBlocks && board?.grid.table !== undefined ? 'blocks' : 'stream';
  if (state.mode === 'blocks') state.allowedLanes = state.maxLanes(Infinity);
  return true;
}
