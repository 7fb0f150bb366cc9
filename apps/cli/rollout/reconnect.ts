import { setTimeout as pause } from 'node:timers/promises';
import { ApiError, UnreachableError } from '#client/api-error';
import { SECOND_MS } from '#core/units';

const FIRST_PAUSE_MS = SECOND_MS / 4;
const LONGEST_PAUSE_MS = 5 * SECOND_MS;

/** The API is away or restarting, or asks for patience; a repeat may reach it. */
const mayPass = (error: unknown): boolean =>
  error instanceof UnreachableError || (error instanceof ApiError && [429, 502, 503, 504].includes(error.status));

/**
 * Repeats a call while the API cannot be reached.
 *
 * @param maxDisconnectMs how long, from the first failure on: a call may wait for its answer before; then the last error is thrown
 * @param onOutage told once, when it begins
 */
export async function reconnecting<T>(
  call: () => Promise<T>,
  maxDisconnectMs: number,
  signal: AbortSignal,
  onOutage: (error: Error) => void,
): Promise<T> {
  let failedAt: number | undefined;
  for (let pauseMs = FIRST_PAUSE_MS; ;) {
    try {
      return await call();
    } catch (error) {
      if (!mayPass(error)) throw error;
      if (failedAt === undefined && maxDisconnectMs > 0) onOutage(error as Error);
      failedAt ??= performance.now();
      const left = maxDisconnectMs - (performance.now() - failedAt);
      if (left <= 0) throw error;
      const wanted = error instanceof ApiError ? error.retryAfterMs : undefined;
      await pause(Math.min(Math.max(pauseMs, wanted ?? 0), left), undefined, { signal });
      pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs);
    }
  }
}
