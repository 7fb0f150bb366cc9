import { SECOND_MS } from '#core/units';

/** Counts the bytes of a stream and says how long it must wait. */
export interface ByteLimit {
  /**
   * Counts bytes that were just received.
   *
   * @returns undefined when the stream may continue at once, else a promise for when it may; rejects with the reason of the signal
   */
  take(bytes: number, signal?: AbortSignal): Promise<void> | undefined;
}

/** A limit of bytes per second that several streams share; the rate can change at any time. */
export interface Throttle extends ByteLimit {
  /** @param bytesPerSecond positive; undefined lifts the limit */
  setRate(bytesPerSecond: number | undefined): void;
}

/** Idle time is credited for at most this long, so that a pause does not turn into a burst. */
const BURST_MS = 100;
/** Shorter waits cost more than they save: the bucket may go negative, and a later call waits until it refills. */
const LEAST_WAIT_MS = 50;

/**
 * A token bucket. Every byte is counted and each wait lasts until the bucket has refilled, so timer errors do not add up.
 *
 * @param bytesPerSecond positive; undefined for no limit yet
 * @param now monotonic milliseconds
 */
export function createThrottle(
  bytesPerSecond: number | undefined,
  now: () => number = () => performance.now(),
): Throttle {
  let rate = checkedRate(bytesPerSecond);
  /** Bytes taken so far, and bytes that the elapsed time has allowed. */
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

/** Resolves after the time, when a sleeper is woken, or when the signal fires. */
function wakeable(ms: number, sleepers: Set<() => void>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(wake, Math.min(ms, SECOND_MS));
    sleepers.add(wake);
    signal?.addEventListener('abort', wake, { once: true });

    function wake(): void {
      clearTimeout(timer);
      sleepers.delete(wake);
      signal?.removeEventListener('abort', wake);
      resolve();
    }
  });
}
