import type { Chart } from '#contracts/http/metrics';
import { csvText } from '../data/export/csv.ts';

/** @returns the address of a file with one row a slot; raw numbers in the unit of the series, empty where nothing was measured */
export function csvOf({ times, series }: Pick<Chart, 'times' | 'series'>): string {
  const head = ['time', ...series.map(({ name, unit }) => `${name} (${unit})`)];
  const rows = times.map((time, index) => [time, ...series.map(({ values }) => values[index] ?? '')]);
  return `data:text/csv;charset=utf-8,${encodeURIComponent(csvText([head, ...rows]))}`;
}
