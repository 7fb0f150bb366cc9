import { SourceError } from '#core/failure';
import { isTooSlow, TOO_SLOW_MS } from '#core/bytes/span-plan';
import type { SpanBoard } from '../plan/span-board.ts';
import { SpanEnded } from '../proof/leaf-cutter.ts';
import type { SourceState } from './source-state.ts';
import type { SourceTry } from './source-try.ts';

/** Ends the responses of which other tries brought everything that was still to come, and requests that wait at a host which is not to be asked any more. */
export function endNeedless(running: readonly SourceTry[], board: SpanBoard | undefined): void {
  for (const run of running) {
    const { mode, claim, controller } = run;
    if (mode !== 'range' || claim === undefined || board === undefined) continue;
    if (board.isNeedless(claim) || (isUnanswered(run) && board.isWithdrawn(claim))) controller.abort(new SpanEnded());
  }
}

const isUnanswered = ({ bytes, state }: SourceTry): boolean => bytes === 0 && state.source.holds !== undefined;

/** Aborts the tries of a source that has been far below its usual rate for a while, if another source can continue. */
export function abortWhenTooSlow(
  state: SourceState,
  joined: readonly SourceState[],
  running: readonly SourceTry[],
  now: number,
): void {
  if (state.slowForMs(now, isTooSlow) < TOO_SLOW_MS) return;
  if (!joined.some((one) => one !== state && one.pausedUntil <= now)) return;
  const error = new SourceError('too-slow', state.source.name, 'it fell below a tenth of its usual rate');
  for (const run of running) if (run.state === state) run.controller.abort(error);
}
