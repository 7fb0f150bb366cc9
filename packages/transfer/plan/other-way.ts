import type { SourceError } from '#core/failure';
import type { SourceState } from '../run/source-state.ts';
import type { SourceTry } from '../run/source-try.ts';
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
  if (error.kind === 'missing' && !mayHoldParts(run, error, board)) return false;
  // A refusal that was under way when the source began to be asked otherwise says nothing new.
  return leavesRanges(state, board) || run.mode !== state.mode;
}

/** Statuses of a source that looked and did not find; 410 and 451 mean that it will not give the file, whole or in parts. */
const LOOKED = new Set([404, 412, 500]);

/** A range is missing as soon as one of its blocks is: only blocks show which parts the source has. */
const mayHoldParts = ({ mode, state }: SourceTry, { httpStatus }: SourceError, board: SpanBoard | undefined): boolean =>
  mode === 'range' && hasBlocks(state, board) && LOOKED.has(httpStatus ?? 0);

/**
 * Asks block by block from the beginning where it is known that ranges are not served: by a source that has blocks only, or of so
 * long a file (docs/rules/ipfs.md, the edge-case table).
 */
export function chooseMode(state: SourceState, board: SpanBoard | undefined): void {
  const { range, maxRangeFileBytes = Infinity } = state.source.capabilities();
  const isRanged = range !== false && (board === undefined || board.grid.sizeBytes <= maxRangeFileBytes);
  if (!isRanged && hasBlocks(state, board)) useBlocks(state);
}

/** @returns false when ranges were already given up */
function leavesRanges(state: SourceState, board: SpanBoard | undefined): boolean {
  if (state.mode !== 'range') return false;
  if (hasBlocks(state, board)) useBlocks(state);
  else state.mode = 'stream';
  return true;
}

const hasBlocks = ({ source }: SourceState, board: SpanBoard | undefined): boolean =>
  source.readBlock !== undefined && source.capabilities().blocks && board?.grid.table !== undefined;

function useBlocks(state: SourceState): void {
  state.mode = 'blocks';
  state.allowedLanes = state.maxLanes(Infinity);
}
