import { setTimeout as pause } from 'node:timers/promises';
import { MINUTE_MS } from '#core/units';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit-code.ts';

/** A busy machine starts a process in many seconds. */
const PATIENCE_MS = 3 * MINUTE_MS;
const POLL_MS = 100;

/**
 * Asks until there is an answer.
 *
 * @param what completes "waited 180 s for"
 * @throws CliError after three minutes without an answer; the signal's reason when it is aborted
 */
export async function eventually<T>(
  { context }: { readonly context: Pick<CommandContext, 'signal'> },
  what: string,
  ask: () => Promise<T | undefined | false>,
): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    context.signal.throwIfAborted();
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    await pause(POLL_MS);
  }
  throw new CliError(EXIT.failed, `waited ${PATIENCE_MS / 1000} s for ${what}; it did not happen`);
}
