import { wantsConnection } from '#core/span-plan';
import { SpanEnded } from '../proof/leaf-cutter.ts';
import type { SourceState } from '../run/source-state.ts';
import type { SourceTry } from '../run/source-try.ts';

/** New connections get so long to begin, or three times what the source needs to answer: connect, TLS, request. */
const SETTLE_MS = 200;
const SETTLE_ROUNDS = 3;
/** A gain is believed after this long; that there is none, only after the longer time. */
const GAIN_MS = 150;
const NO_GAIN_MS = 1000;
/** More connections that brought less than this are given up again. */
const LEAST_GAIN = 1.05;

/** Ramps the connections of a source, and ends tries that it may not have any more. To be called at regular moments. */
export function adjustConnections(
  state: SourceState,
  running: Iterable<{ readonly run: SourceTry }>,
  now: number,
  configured: number,
): void {
  rampConnections(state, now, configured);
  const surplus = state.lanes - state.allowedLanes;
  if (state.isRamped && surplus > 0) dismissUnanswered(state, running, surplus);
}

/**
 * A server that serves one connection after the other answers the next one only when the one before is closed; until then a try
 * that waits would take the place of one that is served.
 */
function dismissUnanswered(state: SourceState, running: Iterable<{ readonly run: SourceTry }>, most: number): void {
  const waiting = [...running].flatMap(({ run }) =>
    run.state === state && run.latencyMs === undefined && run.mode !== 'blocks' ? [run] : [],
  );
  for (const run of waiting.slice(-most)) run.controller.abort(new SpanEnded());
}

/**
 * Starts with one connection per source and doubles while that helps; one step back when it did not. Every step is
 * measured by itself, from when its connections have begun: a smoothed rate would still tell of the step before.
 */
export function rampConnections(state: SourceState, now: number, configured: number): void {
  if (mayRampAgain(state, now, configured)) rampAnew(state, configured);
  if (state.isRamped || state.mode !== 'range' || state.lanes < state.allowedLanes) return;
  const { totalBytes } = state.meter;
  if (totalBytes === 0 || now < state.settledAt) return;
  state.rampWindow ??= { since: now, bytes: totalBytes };
  const elapsedMs = now - state.rampWindow.since;
  if (elapsedMs < GAIN_MS) return;
  const rate = ((totalBytes - state.rampWindow.bytes) * 1000) / elapsedMs;
  if (wantsConnection(state.rateBefore, rate, state.lanes, state.maxLanes(configured)))
    addConnections(state, rate, now);
  else if (elapsedMs >= NO_GAIN_MS) settle(state, rate);
}

/** The origin has a limit of connections, and serves more by now, or is due for a test. */
const mayRampAgain = (state: SourceState, now: number, configured: number): boolean =>
  now >= (state.rampAgainAt ?? Infinity) && state.maxLanes(configured) > state.allowedLanes;

function rampAnew(state: SourceState, configured: number): void {
  state.rampAgainAt = undefined;
  state.isRamped = false;
  state.rateBefore = undefined;
  state.rampWindow = undefined;
  if (state.mode !== 'range') state.allowedLanes = state.maxLanes(configured);
}

function addConnections(state: SourceState, rate: number, now: number): void {
  state.rateBefore = rate;
  state.rampWindow = undefined;
  state.settledAt = now + Math.max(SETTLE_MS, SETTLE_ROUNDS * (state.latencyMs ?? 0));
  state.allowedLanes *= 2;
}

function settle(state: SourceState, rate: number): void {
  state.isRamped = true;
  const hasHelped = state.rateBefore === undefined || rate >= state.rateBefore * LEAST_GAIN;
  if (!hasHelped) state.allowedLanes = Math.max(1, state.allowedLanes >> 1);
}
