import { setTimeout as pause } from 'node:timers/promises';
import { ApiError, UnreachableError } from '#client/api-error';
import { SECOND_MS } from '#core/units';

const FIRST_PAUSE_MS = SECOND_MS / 4;
const LONGEST_PAUSE_MS = 5 * SECOND_MS;

/** The API is away or restarting; a repeat may reach it. */
const mayPass = (error: unknown): boolean =>
  error instanceof UnreachableError || (error instanceof ApiError && [429, 502, 503, 504].includes(error.status));

/**
 * Repeats a call while the API cannot be reached.
 *
 * @param maxDisconnectMs how long; then the last error is thrown
 * @param onOutage told once, when it begins
 */
export async function reconnecting<T>(
  call: () => Promise<T>,
  maxDisconnectMs: number,
  signal: AbortSignal,
  onOutage: (error: Error) => void,
): Promise<T> {
  const startedAt = performance.now();
  for (let pauseMs = FIRST_PAUSE_MS, tries = 1; ; tries += 1) {
    try {
      return await call();
    } catch (error) {
      const left = maxDisconnectMs - (performance.now() - startedAt);
      if (!mayPass(error) || left <= 0) throw error;
      if (tries === 1) onOutage(error as Error);
      await pause(Math.min(pauseMs, left), undefined, { signal });
      pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs);
    }
  }
}
