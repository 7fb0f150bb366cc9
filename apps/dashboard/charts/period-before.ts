import type { Chart, MetricChart } from '#contracts/http/metrics';

export type Series = Chart['series'][number];

/** Charts whose series add up to a whole. */
export const STACKED: readonly MetricChart[] = ['bytes_per_second', 'failures', 'fallback_depth'];

/**
 * The one line that stands for a chart where two times are compared: the sum of what is stacked, the 95th percentile of times, else the
 * first series.
 *
 * @returns undefined where nothing was measured
 */
export function wholeOf({ chart, series }: Pick<Chart, 'chart' | 'series'>): Series | undefined {
  const [first] = series;
  if (first === undefined) return undefined;
  if (!STACKED.includes(chart)) return series.find(({ name }) => name === 'p95') ?? first;
  const values = first.values.map((_, slot) => {
    const known = series.flatMap(({ values: of }) => (typeof of[slot] === 'number' ? [of[slot]] : []));
    return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
  });
  return { name: 'all', unit: first.unit, values };
}

/** @returns the series of the same name a period earlier; of the first series the one that stood for the chart then */
export function wholeBefore(now: Chart, before: Chart): Series | undefined {
  const name = wholeOf(now)?.name;
  if (STACKED.includes(now.chart)) return wholeOf(before);
  return before.series.find((series) => series.name === name);
}

/** @returns the mean of what was measured; undefined for nothing */
export function meanOf({ values }: Pick<Series, 'values'>): number | undefined {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0) / known.length;
}
