import { SourceError } from '#core/failure';
import { isTooSlow, TOO_SLOW_MS } from '#core/bytes/span-plan';
import type { SpanBoard } from '../plan/span-board.ts';
import { SpanEnded } from '../proof/leaf-cutter.ts';
import type { SourceState } from './source-state.ts';
import type { SourceTry } from './source-try.ts';

/** Ends the responses of which other tries brought everything that was still to come. */
export function endNeedless(running: readonly SourceTry[], board: SpanBoard | undefined): void {
  for (const { mode, claim, controller } of running)
    if (mode === 'range' && claim !== undefined && board?.isNeedless(claim) === true) controller.abort(new SpanEnded());
}

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
