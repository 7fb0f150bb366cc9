import type { SourceError } from '#core/failure';
import type { SourceState } from '../run/source-state.ts';
import type { SourceTry } from '../run/source-try.ts';
import type { Claim, SpanBoard } from './span-board.ts';

/**
 * Changes the mode of a source after a refusal that only shows how it must be asked: by block, as a whole, or for other parts.
 *
 * @returns true when the source continues in another mode, so that the refusal is no failure
 */
export function findsOtherWay(run: SourceTry, error: SourceError, board: SpanBoard | undefined): boolean {
  if (error.kind !== 'range-refused' && error.kind !== 'missing') return false;
  const { state, claim } = run;
  if (state.source.kind === 'peer' && board !== undefined && claim !== undefined) {
    lacksParts(state, claim, board);
    return true;
  }
  if (error.kind === 'missing' && !mayHoldParts(run, error, board)) return false;
  // A try that began before the mode changed was refused for the old mode.
  return leavesRanges(state, board) || run.mode !== state.mode;
}

/** A peer that refuses a piece says in the same answer what it has; one that still offers the refused piece is left. */
function lacksParts(state: SourceState, { next, end }: Claim, board: SpanBoard): void {
  const { grid } = board;
  const { holds } = state.source;
  if (holds === undefined) for (let unit = next; unit < end; unit += 1) board.withhold(unit, state.index);
  else if (next < end && holds({ start: grid.start(next), end: grid.end(next) }))
    state.leave('it offers parts that it does not have');
}

/** Statuses of a source that may still have parts; 410 and 451 mean that it serves neither the file nor parts of it. */
const LOOKED = new Set([404, 412, 500]);

/** A range is missing if one of its blocks is: only block requests show which parts the source has. */
const mayHoldParts = ({ mode, state }: SourceTry, { httpStatus }: SourceError, board: SpanBoard | undefined): boolean =>
  mode === 'range' && hasBlocks(state, board) && LOOKED.has(httpStatus ?? 0);

/**
 * Starts in block mode if it is known that ranges are not served: by a source that has blocks only, or of a file this long
 * (docs/rules/ipfs.md, the edge-case table).
 */
export function chooseMode(state: SourceState, board: SpanBoard | undefined): void {
  const { range, maxRangeFileBytes = Infinity } = state.source.capabilities();
  const isRanged = range !== false && (board === undefined || board.grid.sizeBytes <= maxRangeFileBytes);
  if (!isRanged && hasBlocks(state, board)) useBlocks(state);
}

/** @returns false when the source was not in range mode */
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
  state.allowedConnections = state.maxConnections(Infinity);
}
