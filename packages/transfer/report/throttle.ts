import { SECOND_MS } from '#core/units';

/** What a stream asks before it goes on. */
export interface ByteLimit {
  /**
   * Accounts for bytes that were just received.
   *
   * @returns undefined when the stream may go on at once, else a promise for the moment it may; rejects with
   *   the signal's reason
   */
  take(bytes: number, signal?: AbortSignal): Promise<void> | undefined;
}

/** A limit of bytes per second that several streams share; the rate may change at any moment. */
export interface Throttle extends ByteLimit {
  /** @param bytesPerSecond positive; undefined lifts the limit */
  setRate(bytesPerSecond: number | undefined): void;
}

/** Idle time is credited for at most this long, so that a pause does not turn into a burst. */
const BURST_MS = 100;
/** Shorter waits are not worth a timer and a cold start of every cache: the debt stays and is waited for with the next bytes. */
const LEAST_WAIT_MS = 50;

/**
 * A token bucket (EX2). Exact over time: every byte taken is owed and each wait pays the whole debt, so the
 * error over ten seconds is the last timer's.
 *
 * @param bytesPerSecond positive; undefined for no limit yet
 * @param now monotonic milliseconds
 */
export function createThrottle(
  bytesPerSecond: number | undefined,
  now: () => number = () => performance.now(),
): Throttle {
  let rate = checkedRate(bytesPerSecond);
  /** Bytes handed out so far, and how many the clock has allowed; both grow for ever. */
  let taken = 0;
  let allowed = 0;
  let settledAt = now();
  const sleepers = new Set<() => void>();

  const settle = (): void => {
    const at = now();
    if (rate !== undefined) allowed += (rate * (at - settledAt)) / SECOND_MS;
    settledAt = at;
    const burst = rate === undefined ? 0 : (rate * BURST_MS) / SECOND_MS;
    if (rate === undefined || allowed > taken + burst) allowed = taken + burst;
  };

  const waitFor = async (ticket: number, signal: AbortSignal | undefined): Promise<void> => {
    for (;;) {
      signal?.throwIfAborted();
      settle();
      if (rate === undefined || ticket <= allowed) return;
      await wakeable(((ticket - allowed) / rate) * SECOND_MS, sleepers, signal);
    }
  };

  return {
    take(bytes, signal) {
      settle();
      taken += bytes;
      if (rate === undefined || ((taken - allowed) / rate) * SECOND_MS < LEAST_WAIT_MS) return undefined;
      return waitFor(taken, signal);
    },
    setRate(next) {
      settle();
      rate = checkedRate(next);
      for (const wake of sleepers) wake();
    },
  };
}

function checkedRate(bytesPerSecond: number | undefined): number | undefined {
  if (bytesPerSecond !== undefined && !(bytesPerSecond > 0))
    throw new RangeError(`bytesPerSecond is ${bytesPerSecond}: a limit must be positive, undefined lifts it`);
  return bytesPerSecond === Infinity ? undefined : bytesPerSecond;
}

/** Sleeps until the time is over, somebody wakes us, or the signal fires. */
function wakeable(ms: number, sleepers: Set<() => void>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      sleepers.delete(wake);
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    const timer = setTimeout(wake, Math.min(ms, SECOND_MS));
    sleepers.add(wake);
    signal?.addEventListener('abort', wake, { once: true });
  });
}
