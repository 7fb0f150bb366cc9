import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { MINUTE_MS } from '#core/units';
import { api } from './api.ts';
import { pollEvery } from './live.ts';

/**
 * What the API answers, asked again while the page is visible.
 *
 * @param key its first part is what live events name (data/live.ts); the rest is what was asked for
 */
export const useLive = <Answer>(
  key: readonly unknown[],
  ask: () => Promise<Answer>,
  enabled = true,
): UseQueryResult<Answer> =>
  useQuery({ queryKey: key, queryFn: ask, enabled, refetchInterval: pollEvery }) as UseQueryResult<Answer>;

export const useStatus = () => useLive(['status'], () => api.getStatus());
export const useModels = () => useLive(['models'], () => api.listModels());
export const useHostFacets = (selector?: string, q?: string) =>
  useLive(['hosts', 'facets', selector, q], () => api.getHostFacets({ selector, q }));

/** Numbers of hours and days; once a minute is often enough. */
export const useSummary = (window: string) =>
  useQuery({
    queryKey: ['metrics', 'summary', window],
    queryFn: () => api.getMetricsSummary(window),
    refetchInterval: MINUTE_MS,
  });
export const useHealth = (window: string) =>
  useQuery({
    queryKey: ['metrics', 'health', window],
    queryFn: () => api.getMetricsHealth(window),
    refetchInterval: MINUTE_MS,
  });
