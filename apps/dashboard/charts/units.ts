import { formatBytes, formatDuration } from '#core/units';
import type { Chart } from '#contracts/http/metrics';

export type Unit = Chart['series'][number]['unit'];

/** A measured value for people. */
export function valueText(value: number, unit: Unit): string {
  if (unit === 'bytes_per_second') return `${formatBytes(value)}/s`;
  if (unit === 'milliseconds') return formatDuration(value);
  if (unit === 'ratio') return `${(100 * value).toFixed(1)} %`;
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
}

/** The name of a series for people: words of our own without underscores, names of sources as they are. */
export const labelOf = (name: string): string => (/^[a-z_]+$/.test(name) ? name.replaceAll('_', ' ') : name);
