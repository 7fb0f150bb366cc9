import { ACTIVE_ROLLOUTS, FINISHED_ROLLOUTS } from '#contracts/http/overview-asks';
import { MINUTE_MS } from '#core/units';
import { api } from './api.ts';

/*
 * What several pages ask, and what the first page asks before its code is there: nothing here needs React. The first part of a key is what
 * live events name (data/live.ts).
 */

export const systemStatus = { queryKey: ['status'], queryFn: () => api.getStatus() };
export const activeRollouts = {
  queryKey: ['rollouts', 'active'],
  queryFn: () => api.listRollouts(ACTIVE_ROLLOUTS),
};
export const finishedRollouts = {
  queryKey: ['rollouts', 'finished'],
  queryFn: () => api.listRollouts(FINISHED_ROLLOUTS),
};

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
