import { setTimeout as pause } from 'node:timers/promises';
import { SourceError } from '#core/failure';
import { decide, type Budget } from '#core/policy';

export interface RetryOptions {
  readonly budget: Budget;
  readonly signal: AbortSignal;
  /** 0 <= r < 1; spreads the pauses. */
  readonly random?: (() => number) | undefined;
}

/**
 * Repeats a request to a single source for as long as the policy allows.
 *
 * @throws SourceError, the last one; the signal's reason
 */
export async function retrying<T>(
  ask: () => Promise<T>,
  { budget, signal, random = Math.random }: RetryOptions,
): Promise<T> {
  for (let failuresInARow = 1; ; failuresInARow += 1) {
    signal.throwIfAborted();
    try {
      return await ask();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SourceError)) throw error;
      const decision = decide(
        error,
        { failuresInARow, corruptionSwitches: 0, otherSources: 0, hasOtherLayer: false },
        budget,
        random(),
      );
      if (decision.do !== 'retry-same') throw error;
      await pause(decision.afterMs, undefined, { signal });
    }
  }
}
