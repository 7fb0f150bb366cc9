import type { MetricChart } from '#contracts/http/metrics';
import { MINUTE_MS } from '#core/units';
import { api } from './api.ts';

/** The charts of the page "Metrics", in their order. The contract's own list would bring its validator along. */
export const CHARTS = [
  'bytes_per_second',
  'success_rate',
  'time_to_ready',
  'queue',
  'failures',
  'fallback_depth',
] as const satisfies readonly MetricChart[];

/** The question for the numbers of a chart; once a minute is often enough. */
export const chartQuery = (chart: MetricChart, window: string, before = false) => ({
  queryKey: ['metrics', 'chart', chart, window, before],
  queryFn: () => api.getChart(chart, window, before),
  refetchInterval: MINUTE_MS,
});
