import type { Chart } from '#contracts/http/metrics';

/** @returns the address of a file with one row a slot; raw numbers in the unit of the series, empty where nothing was measured */
export function csvOf({ times, series }: Pick<Chart, 'times' | 'series'>): string {
  const head = ['time', ...series.map(({ name, unit }) => `${name} (${unit})`)];
  const rows = times.map((time, index) => [time, ...series.map(({ values }) => values[index] ?? '')]);
  const text = [head, ...rows].map((row) => row.map(quoted).join(',')).join('\r\n');
  return `data:text/csv;charset=utf-8,${encodeURIComponent(`${text}\r\n`)}`;
}

/** Names of sources come from outside: a cell that a spreadsheet would take for a formula begins with an apostrophe. */
function quoted(cell: string | number): string {
  if (typeof cell === 'number') return String(cell);
  const safe = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return `"${safe.replaceAll('"', '""')}"`;
}
