import { wantsConnection } from '#core/span-plan';
import type { SourceState } from './source-state.ts';

/** Two windows of the meter: one for the new connections to start, one to measure them. */
const SETTLE_MS = 400;
/** More connections that brought less than this are given up again. */
const LEAST_GAIN = 1.05;

/** Starts with one connection per source and doubles while that helps; one step back when it did not. */
export function rampConnections(state: SourceState, now: number, configured: number): void {
  if (state.isRamped || state.mode !== 'range' || state.lanes < state.allowedLanes) return;
  if (state.meter.totalBytes === 0 || now - (state.rampedAt ?? -Infinity) < SETTLE_MS) return;
  const rate = state.meter.rate(now);
  if (wantsConnection(state.rateBefore, rate, state.lanes, state.maxLanes(configured))) {
    state.rateBefore = rate;
    state.rampedAt = now;
    state.allowedLanes *= 2;
    return;
  }
  state.isRamped = true;
  const hasHelped = state.rateBefore === undefined || rate >= state.rateBefore * LEAST_GAIN;
  if (!hasHelped) state.allowedLanes = Math.max(1, state.allowedLanes >> 1);
}
