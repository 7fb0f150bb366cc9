export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

export const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

const BYTE_UNITS: Record<string, number> = {
  '': 1,
  B: 1,
  K: KIB,
  KIB: KIB,
  KB: 1e3,
  M: MIB,
  MIB: MIB,
  MB: 1e6,
  G: GIB,
  GIB: GIB,
  GB: 1e9,
};

const DURATION_UNITS: Record<string, number> = {
  ms: 1,
  '': SECOND_MS,
  s: SECOND_MS,
  m: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
};

/**
 * Reads a number of bytes as people write it: `50M` and `50MiB` are binary (curl's `--limit-rate`), `50MB` is decimal.
 *
 * @throws RangeError that shows the value and the accepted form
 */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = match ? BYTE_UNITS[match[2]!.toUpperCase()] : undefined;
  if (!match || unit === undefined)
    throw new RangeError(`"${text}" is not a size: write for example 64M, 1.5GiB or 200MB`);
  return Math.floor(Number(match[1]) * unit);
}

/**
 * Reads a duration such as `250ms`, `30s`, `5m`, `2h`, `7d`; a bare number is seconds.
 *
 * @returns milliseconds
 * @throws RangeError that shows the value and the accepted form
 */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(text.trim());
  const unit = match ? DURATION_UNITS[match[2]!] : undefined;
  if (!match || unit === undefined)
    throw new RangeError(`"${text}" is not a duration: write for example 500ms, 30s or 5m`);
  return Number(match[1]) * unit;
}

/** Bytes for people, decimal as disks and networks are sold: `0 B`, `78.6 MB`, `1.50 GB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  // 999.5 would be rounded to 1000, which has four digits.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value) : value.toPrecision(3)} ${units[unit]}`;
}

/** A duration for people: `850 ms`, `12.4 s`, `3m 05s`, `2h 10m`. */
export function formatDuration(ms: number): string {
  if (ms < SECOND_MS - 0.5) return `${Math.round(ms)} ms`;
  // 59.95 would be rounded to 60.0.
  if (ms < MINUTE_MS - 50) return `${(ms / SECOND_MS).toFixed(1)} s`;
  const totalSeconds = Math.round(ms / SECOND_MS);
  const minutes = Math.floor(totalSeconds / 60);
  if (minutes < 60) return `${minutes}m ${String(totalSeconds % 60).padStart(2, '0')}s`;
  return `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, '0')}m`;
}
