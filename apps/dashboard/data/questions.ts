import { isFinalRollout, ROLLOUT_STATES, type RolloutState } from '#core/rollout/rollout-state';
import { MINUTE_MS } from '#core/units';
import { api } from './api.ts';

/*
 * What several pages ask, and what the first page asks before its code is there: nothing here needs React. The first part of a key is what
 * live events name (data/live.ts).
 */

const SHOWN_FINISHED = 10;
const SHOWN_ACTIVE = 50;

const rollouts = (name: string, state: readonly RolloutState[], limit: number) => ({
  queryKey: ['rollouts', name],
  queryFn: () => api.listRollouts({ state, limit }),
});

export const systemStatus = { queryKey: ['status'], queryFn: () => api.getStatus() };
export const activeRollouts = rollouts(
  'active',
  ROLLOUT_STATES.filter((state) => !isFinalRollout(state)),
  SHOWN_ACTIVE,
);
export const finishedRollouts = rollouts('finished', ROLLOUT_STATES.filter(isFinalRollout), SHOWN_FINISHED);

export const hostFacets = (selector?: string, q?: string) => ({
  queryKey: ['hosts', 'facets', selector, q],
  queryFn: () => api.getHostFacets({ selector, q }),
});

/** Numbers of hours and days; once a minute is often enough. */
export const summary = (window: string) => ({
  queryKey: ['metrics', 'summary', window],
  queryFn: () => api.getMetricsSummary(window),
  refetchInterval: MINUTE_MS,
});
export const health = (window: string) => ({
  queryKey: ['metrics', 'health', window],
  queryFn: () => api.getMetricsHealth(window),
  refetchInterval: MINUTE_MS,
});
