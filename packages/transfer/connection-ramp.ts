import { wantsConnection } from '#core/span-plan';
import type { SourceState } from './source-state.ts';

/** New connections get so long to begin, or three times what the source needs to answer: connect, TLS, request. */
const SETTLE_MS = 200;
const SETTLE_ROUNDS = 3;
/** A gain is believed after this long; that there is none, only after the longer time. */
const GAIN_MS = 150;
const NO_GAIN_MS = 1000;
/** More connections that brought less than this are given up again. */
const LEAST_GAIN = 1.05;

/**
 * Starts with one connection per source and doubles while that helps; one step back when it did not. Every step is
 * measured by itself, from when its connections have begun: a smoothed rate would still tell of the step before.
 */
export function rampConnections(state: SourceState, now: number, configured: number): void {
  if (mayRampAgain(state, now, configured)) rampAnew(state);
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

function rampAnew(state: SourceState): void {
  state.rampAgainAt = undefined;
  state.isRamped = false;
  state.rateBefore = undefined;
  state.rampWindow = undefined;
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
