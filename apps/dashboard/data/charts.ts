import type { MetricChart } from '#contracts/http/metrics';

/** The charts of the page "Metrics", in their order. The contract's own list would bring its validator along. */
export const CHARTS = [
  'bytes_per_second',
  'success_rate',
  'time_to_ready',
  'queue',
  'failures',
  'fallback_depth',
] as const satisfies readonly MetricChart[];
