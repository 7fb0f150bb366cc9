import { setTimeout as delay } from 'node:timers/promises';

/** Time as the store sees it; tests hand in their own. */
export interface Clock {
  /** Wall clock; milliseconds since 1970. It may jump. */
  now(): number;
  /** Milliseconds from any start; it never jumps. */
  monotonic(): number;
  /** @throws the signal's reason when it is aborted first */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  wait: async (ms, signal) => {
    try {
      await delay(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  },
};
