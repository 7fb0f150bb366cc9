import { setTimeout as wait } from 'node:timers/promises';
import { BoundedMap } from '#core/bounded-map';
import { MINUTE_MS, SECOND_MS } from '#core/units';

export interface ClientLimits {
  /** Most requests of one client within a minute; undefined: no limit. */
  readonly requestsPerMinute?: number | undefined;
  /** Most bytes per second of one client, over all its connections; undefined: no limit. */
  readonly bytesPerSecond?: number | undefined;
}

export interface LimitedClient {
  /** Counts a request. @returns 0 when it is within the limit, else the milliseconds to wait */
  request(): number;
  /** Waits until that many bytes may be sent. Undefined without a limit. */
  readonly pace: ((bytes: number) => Promise<void>) | undefined;
}

/** Clients whose counts are kept. */
const MAX_CLIENTS = 10_000;
/** Bytes that may be ahead of the rate, so that short answers are not delayed; milliseconds of the rate. */
const BURST_MS = 500;

interface LimitClock {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly pause: (ms: number) => Promise<unknown>;
}

const SYSTEM: LimitClock = {
  now: () => performance.now(),
  pause: (ms) => wait(ms, undefined, { ref: false }),
};

/** @returns the counts of a client, by its key */
export function clientLimits(limits: ClientLimits, clock: LimitClock = SYSTEM): (key: string) => LimitedClient {
  const clients = new BoundedMap<LimitedClient>({ capacity: MAX_CLIENTS });
  return (key) => clients.get(key) ?? clients.set(key, limitedClient(limits, clock));
}

function limitedClient({ requestsPerMinute, bytesPerSecond }: ClientLimits, { now, pause }: LimitClock): LimitedClient {
  let windowEndsAt = 0;
  let count = 0;
  let sentUntil = 0;
  return {
    request() {
      if (requestsPerMinute === undefined) return 0;
      if (now() >= windowEndsAt) [windowEndsAt, count] = [now() + MINUTE_MS, 0];
      count += 1;
      return count <= requestsPerMinute ? 0 : windowEndsAt - now();
    },
    pace:
      bytesPerSecond === undefined
        ? undefined
        : async (bytes) => {
            sentUntil = Math.max(sentUntil, now() - BURST_MS) + (bytes / bytesPerSecond) * SECOND_MS;
            const delayMs = sentUntil - now();
            if (delayMs > 0) await pause(delayMs);
          },
  };
}
