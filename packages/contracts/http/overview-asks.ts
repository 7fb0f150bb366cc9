import { isFinalRollout, ROLLOUT_STATES } from '#core/rollout/rollout-state';
import type { MetricChart } from './metrics.ts';

/*
 * What the overview of the dashboard asks the API. The API names it in the page, so that a browser asks before it has the script, and the script finds
 * the answers there: both build the same addresses from this. Nothing here needs a validator, which the first page would have to load.
 */

export const OVERVIEW_CHARTS = ['bytes_per_second', 'time_to_ready'] as const satisfies readonly MetricChart[];
/** The time that the overview looks back, but for health. */
export const OVERVIEW_WINDOW = '24h';
export const OVERVIEW_HEALTH_WINDOW = '1h';

const rolloutsThat = (isFinal: boolean, limit: number) => ({
  state: ROLLOUT_STATES.filter((state) => isFinalRollout(state) === isFinal),
  limit,
});

export const ACTIVE_ROLLOUTS = rolloutsThat(false, 50);
export const FINISHED_ROLLOUTS = rolloutsThat(true, 10);

/** In their order: charts come first, because their summaries are the largest texts; a browser sends six requests at a time. */
export const OVERVIEW_ASKS = [
  { path: '/api/me', query: {} },
  ...OVERVIEW_CHARTS.map(
    (chart) => ({ path: '/api/metrics/query', query: { chart, window: OVERVIEW_WINDOW } }) as const,
  ),
  { path: '/api/status', query: {} },
  { path: '/api/host-facets', query: {} },
  { path: '/api/rollouts', query: ACTIVE_ROLLOUTS },
  { path: '/api/metrics/summary', query: { window: OVERVIEW_WINDOW } },
  { path: '/api/metrics/health', query: { window: OVERVIEW_HEALTH_WINDOW } },
  { path: '/api/rollouts', query: FINISHED_ROLLOUTS },
] as const;
