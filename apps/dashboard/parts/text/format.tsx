import { useSyncExternalStore } from 'react';
import { formatBytes, formatDuration, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '#core/units';
import { usePreferences } from '../../shell/preferences.ts';

const NOTHING = '–';

export const bytesText = (bytes: number | null | undefined): string =>
  bytes === null || bytes === undefined ? NOTHING : formatBytes(bytes);

export const rateText = (bytesPerSecond: number | null | undefined): string =>
  bytesPerSecond === null || bytesPerSecond === undefined ? NOTHING : `${formatBytes(bytesPerSecond)}/s`;

export const durationText = (ms: number | null | undefined): string =>
  ms === null || ms === undefined ? NOTHING : formatDuration(ms);

/** @param share 0 to 1 */
export const percentText = (share: number | null | undefined): string =>
  share === null || share === undefined ? NOTHING : `${(Math.floor(share * 1000) / 10).toFixed(share === 1 ? 0 : 1)} %`;

export const countText = (count: number | null | undefined): string =>
  count === null || count === undefined ? NOTHING : count.toLocaleString('en-US').replaceAll(',', '\u202f');

/** `1 host`, `3 hosts`. */
export const several = (count: number, thing: string): string =>
  `${countText(count)} ${thing}${count === 1 ? '' : 's'}`;

/** How long ago a moment was, or how soon it is. */
export function relativeText(moment: string, nowMs: number): string {
  const distance = nowMs - Date.parse(moment);
  const size = Math.abs(distance);
  if (size < 5 * SECOND_MS) return 'now';
  const [unit, ms] =
    size < MINUTE_MS
      ? ['s', SECOND_MS]
      : size < HOUR_MS
        ? ['min', MINUTE_MS]
        : size < 2 * DAY_MS
          ? ['h', HOUR_MS]
          : ['d', DAY_MS];
  const text = `${Math.floor(size / Number(ms))} ${unit}`;
  return distance < 0 ? `in ${text}` : `${text} ago`;
}

export const exactText = (moment: string, zone: 'local' | 'utc'): string => {
  const date = new Date(moment);
  if (zone === 'utc') return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  const two = (number: number) => String(number).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
};

const TICK_MS = 5 * SECOND_MS;
let tick = Date.now();
const watching = new Set<() => void>();
let ticker: ReturnType<typeof setInterval> | undefined;

/** One clock for all relative times of a page. */
function watchClock(listener: () => void): () => void {
  watching.add(listener);
  ticker ??= setInterval(() => {
    tick = Date.now();
    for (const each of watching) each();
  }, TICK_MS);
  return () => {
    watching.delete(listener);
    if (watching.size > 0) return;
    clearInterval(ticker);
    ticker = undefined;
  };
}

export const useNow = (): number => useSyncExternalStore(watchClock, () => tick);

/**
 * A moment as the reader prefers it; the exact one is its title.
 *
 * @param props.isPast it has happened; a clock of the server that is ahead of the browser's does not make it the future
 */
export function When({ at, isPast = false }: { readonly at: string | null | undefined; readonly isPast?: boolean }) {
  const { clock } = usePreferences();
  const now = useNow();
  if (at === null || at === undefined) return <>{NOTHING}</>;
  return (
    <time dateTime={at} title={`${exactText(at, 'local')} local, ${exactText(at, 'utc')}`}>
      {clock === 'relative'
        ? relativeText(at, Math.max(now, Date.now(), isPast ? Date.parse(at) : 0))
        : exactText(at, clock)}
    </time>
  );
}
