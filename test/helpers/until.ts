import { setTimeout as pause } from 'node:timers/promises';

export interface UntilOptions {
  /** Default 180,000: a machine with other work may be slow, and a condition that never holds is the rare case. */
  readonly timeoutMs?: number;
  /** What is awaited, for the message: "the job is active". */
  readonly what: string;
}

/**
 * Waits for a condition instead of sleeping: asks every 20 ms.
 *
 * @returns the first truthy answer
 * @throws Error that says what was awaited; an error of the condition itself is its cause when it still failed at the end
 */
export async function until<T>(condition: () => T | Promise<T>, options: UntilOptions): Promise<NonNullable<T>> {
  const timeoutMs = options.timeoutMs ?? 180_000;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let cause: unknown;
    try {
      const answer = await condition();
      if (answer) return answer;
    } catch (error) {
      cause = error;
    }
    if (Date.now() >= deadline) throw new Error(`gave up after ${timeoutMs} ms: ${options.what}`, { cause });
    await pause(20);
  }
}
