import { setTimeout as pause } from 'node:timers/promises';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit-code.ts';

const PATIENCE_MS = 60_000;
const POLL_MS = 100;

/**
 * Asks until there is an answer.
 *
 * @param what completes "waited 60 s for"
 * @throws CliError after a minute without an answer; the signal's reason when it is aborted
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
