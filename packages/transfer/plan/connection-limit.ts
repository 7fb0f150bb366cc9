import { exponentialMs } from '#core/async/exponential-pause';
import { SourceError } from '#core/failure';
import type { Decision } from '#core/policy';
import { SECOND_MS } from '#core/units';
import type { SourceState } from '../run/source-state.ts';

/** A source without a connection asks again this often before the refusal counts as a failure: about three seconds in all. */
const MAX_REFUSALS_IN_A_ROW = 5;
/** Pause before it asks again; doubles for each further refusal; milliseconds. */
const PAUSE_MS = 100;
/** A further connection is not tried before this, even where the origin serves more: other transfers use them. */
const RAMP_AGAIN_MS = 10 * SECOND_MS;

/**
 * An origin that serves other connections refused this one: the source goes on with those it has, and nothing counts as a failure.
 *
 * @returns what follows; undefined when the refusal has another reason, or came too often while nothing was served
 */
export function afterConnectionLimit(state: SourceState, error: SourceError, now: number): Decision | undefined {
  const { connectionLimit } = error;
  if (connectionLimit === undefined) return undefined;
  const reason = `it serves ${connectionLimit} at once`;
  keepsLanes(state, now);
  if (state.lanes > 0) return { do: 'retry-same', afterMs: 0, reason };
  state.refusalsInARow += 1;
  if (state.refusalsInARow > MAX_REFUSALS_IN_A_ROW) return undefined;
  const afterMs = exponentialMs(PAUSE_MS, state.refusalsInARow, RAMP_AGAIN_MS);
  state.pausedUntil = now + afterMs;
  return { do: 'retry-same', afterMs, reason };
}

/** A source that refuses, or counts requests, gets no more connections than those that run. */
export function keepsLanes(state: SourceState, now: number): void {
  state.rampAgainAt = now + RAMP_AGAIN_MS;
  state.allowedLanes = Math.max(1, state.lanes);
  state.isRamped = true;
}

/** What the origin answered, for the policy that judges it as any other failure. */
export const refusalOf = (error: SourceError): SourceError =>
  error.connectionLimit !== undefined && error.cause instanceof SourceError ? error.cause : error;
