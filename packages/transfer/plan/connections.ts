import { exponentialMs } from '#core/async/exponential-pause';
import { SourceError } from '#core/failure';
import type { Decision } from '#core/policy';
import { SECOND_MS } from '#core/units';
import { wantsConnection } from '#core/bytes/span-plan';
import { SpanEnded } from '../proof/leaf-cutter.ts';
import type { SourceState } from '../run/source-state.ts';
import type { SourceTry } from '../run/source-try.ts';

/** New connections are measured after this long, or after three times the latency of the source: connect, TLS, request. */
const SETTLE_MS = 200;
const SETTLE_ROUNDS = 3;
/** A gain counts after the shorter time; a missing gain only after the longer one. */
const GAIN_MS = 150;
const NO_GAIN_MS = 1000;
/** Added connections that gain less than this factor are closed again. */
const LEAST_GAIN = 1.05;

/** Ramps the connections of a source, and ends tries beyond the allowed number. Call it at regular moments. */
export function adjustConnections(
  state: SourceState,
  running: Iterable<{ readonly run: SourceTry }>,
  now: number,
  configured: number,
): void {
  rampConnections(state, now, configured);
  const surplus = state.connections - state.allowedConnections;
  if (state.isRamped && surplus > 0) dismissUnanswered(state, running, surplus);
}

/**
 * Some servers serve connections one after the other. A try that still waits for its response would take the place of one that is
 * served.
 */
function dismissUnanswered(state: SourceState, running: Iterable<{ readonly run: SourceTry }>, most: number): void {
  const waiting = [...running].flatMap(({ run }) =>
    run.state === state && run.latencyMs === undefined && run.mode !== 'blocks' ? [run] : [],
  );
  for (const run of waiting.slice(-most)) run.controller.abort(new SpanEnded());
}

/**
 * Starts with one connection per source and doubles while that gains speed; goes one step back when it did not. Each step is measured
 * alone, after its connections have begun: a smoothed rate would still contain the step before.
 */
export function rampConnections(state: SourceState, now: number, configured: number): void {
  if (mayRampAgain(state, now, configured)) restartRamp(state, configured);
  if (state.isRamped || state.mode !== 'range' || state.connections < state.allowedConnections) return;
  const { totalBytes } = state.meter;
  if (totalBytes === 0 || now < state.settledAt) return;
  state.rampWindow ??= { since: now, bytes: totalBytes };
  const elapsedMs = now - state.rampWindow.since;
  if (elapsedMs < GAIN_MS) return;
  const rate = ((totalBytes - state.rampWindow.bytes) * 1000) / elapsedMs;
  if (wantsConnection(state.rateBefore, rate, state.connections, state.maxConnections(configured)))
    addConnections(state, rate, now);
  else if (elapsedMs >= NO_GAIN_MS) settle(state, rate);
}

/** The limit of the origin has risen, or is due for a test. */
const mayRampAgain = (state: SourceState, now: number, configured: number): boolean =>
  now >= (state.rampAgainAt ?? Infinity) && state.maxConnections(configured) > state.allowedConnections;

function restartRamp(state: SourceState, configured: number): void {
  state.rampAgainAt = undefined;
  state.isRamped = false;
  state.rateBefore = undefined;
  state.rampWindow = undefined;
  if (state.mode !== 'range') state.allowedConnections = state.maxConnections(configured);
}

function addConnections(state: SourceState, rate: number, now: number): void {
  state.rateBefore = rate;
  state.rampWindow = undefined;
  state.settledAt = now + Math.max(SETTLE_MS, SETTLE_ROUNDS * (state.latencyMs ?? 0));
  state.allowedConnections *= 2;
}

function settle(state: SourceState, rate: number): void {
  state.isRamped = true;
  const hasHelped = state.rateBefore === undefined || rate >= state.rateBefore * LEAST_GAIN;
  if (!hasHelped) state.allowedConnections = Math.max(1, state.allowedConnections >> 1);
}

/** A source without a connection is asked again this often before the refusal counts as a failure: about three seconds in all. */
const MAX_REFUSALS_IN_A_ROW = 5;
/** Pause before it is asked again; doubles with each refusal. */
const PAUSE_MS = 100;
/** No further connection is tried earlier, even if the origin serves more: other transfers use them. */
const RAMP_AGAIN_MS = 10 * SECOND_MS;

/**
 * Handles an origin that serves some connections and refused a further one: the source keeps those it has, and no failure is counted.
 *
 * @returns the decision; undefined when the refusal has another reason, or was repeated too often without a served connection
 */
export function afterConnectionLimit(state: SourceState, error: SourceError, now: number): Decision | undefined {
  const { connectionLimit } = error;
  if (connectionLimit === undefined) return undefined;
  const reason = `it serves ${connectionLimit} at once`;
  holdConnections(state, now);
  if (state.connections > 0) return { do: 'retry-same', afterMs: 0, reason };
  state.refusalsInARow += 1;
  if (state.refusalsInARow > MAX_REFUSALS_IN_A_ROW) return undefined;
  const afterMs = exponentialMs(PAUSE_MS, state.refusalsInARow, RAMP_AGAIN_MS);
  state.pausedUntil = now + afterMs;
  return { do: 'retry-same', afterMs, reason };
}

/** Limits a source that refuses connections, or limits requests, to the connections that run. */
export function holdConnections(state: SourceState, now: number): void {
  state.rampAgainAt = now + RAMP_AGAIN_MS;
  state.allowedConnections = Math.max(1, state.connections);
  state.isRamped = true;
}

/** The answer of the origin itself, which the policy judges like any other failure. */
export const originAnswer = (error: SourceError): SourceError =>
  error.connectionLimit !== undefined && error.cause instanceof SourceError ? error.cause : error;
