import { Cron } from 'croner';
import { HOST_ZONE, UNKNOWN_ZONE, type RolloutWindow } from '#core/rollout/rollout-spec';

/**
 * True when there is no window, or one of them opened within its length before now.
 *
 * @param now milliseconds since 1970
 * @param hostZone what `tz: host` means
 */
export const isWindowOpen = (windows: readonly RolloutWindow[], now: number, hostZone = UNKNOWN_ZONE): boolean =>
  windows.length === 0 || windows.some((window) => isOpen(window, now, hostZone));

/** True when windows of a rollout depend on where its hosts are. */
export const needsZones = (windows: readonly RolloutWindow[]): boolean => windows.some(({ tz }) => tz === HOST_ZONE);

/** When the next window opens that is the same for all hosts; a window names at least one moment to come. */
export function nextOpening(windows: readonly RolloutWindow[], now: number): Date {
  const openings = windows.map(({ cron, tz }) => schedule(cron, tz).nextRun(new Date(now))?.getTime() ?? Infinity);
  return new Date(Math.min(...openings));
}

function isOpen({ cron, tz, forMs }: RolloutWindow, now: number, hostZone: string): boolean {
  // The next opening after this moment; the expression has whole minutes, so the last millisecond is not one.
  const opened = schedule(cron, tz === HOST_ZONE ? known(hostZone) : tz).nextRun(new Date(now - forMs));
  return opened !== null && opened.getTime() <= now;
}

/** A worker may name a zone that this program does not know. */
function known(zone: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return zone;
  } catch {
    return UNKNOWN_ZONE;
  }
}

/** @returns what is wrong with a window; undefined when it is right */
export function windowProblem({ cron, tz }: Pick<RolloutWindow, 'cron' | 'tz'>): string | undefined {
  if (cron.trim().split(/\s+/).length !== 5) return `"${cron}" has not five fields: minute hour day month weekday`;
  try {
    if (schedule(cron, tz === HOST_ZONE ? UNKNOWN_ZONE : tz).nextRun() !== null) return undefined;
    return `"${cron}" names no moment to come`;
  } catch (error) {
    return `"${cron}" in ${tz}: ${(error as Error).message}`;
  }
}

const schedule = (cron: string, tz: string): Cron => new Cron(cron, { timezone: tz, mode: '5-part' });
