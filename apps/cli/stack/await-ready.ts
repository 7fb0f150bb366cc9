import { setTimeout as pause } from 'node:timers/promises';
import { CliError, EXIT } from '../exit-code.ts';
import type { NodeProcess } from './node-process.ts';

const TIMEOUT_MS = 60_000;
const POLL_MS = 25;
/** A start that takes longer reports what is missing. */
const SILENT_MS = 5_000;

/**
 * Waits until the API answers that it is ready.
 *
 * @param report called with what is missing, after SILENT_MS
 * @throws CliError with the end of the API's log when it exits, or with what is missing after TIMEOUT_MS
 * @throws the signal's reason when it is aborted
 */
export async function awaitReady(
  api: NodeProcess,
  url: string,
  { report, signal }: { report: (step: string) => void; signal?: AbortSignal | undefined },
): Promise<void> {
  const ended = api.ended.then(() => 'ended' as const);
  const startedAt = performance.now();
  let missing = 'no answer';
  let told = '';
  while (performance.now() - startedAt < TIMEOUT_MS) {
    signal?.throwIfAborted();
    const state = await Promise.race([ended, probe(url)]);
    if (state === 'ready') return;
    if (state === 'ended')
      throw new CliError(EXIT.failed, `the API did not start; its log says:\n${await api.logTail()}`);
    missing = state.missing;
    if (missing !== told && performance.now() - startedAt > SILENT_MS) report(`still waiting: ${missing}`);
    if (performance.now() - startedAt > SILENT_MS) told = missing;
    await pause(POLL_MS);
  }
  throw new CliError(EXIT.failed, `the API is not ready after ${TIMEOUT_MS / 1000} s: ${missing}`);
}

/** `/readyz` names what is missing. */
async function probe(url: string): Promise<'ready' | { missing: string }> {
  try {
    const response = await fetch(url);
    const body = (await response.json()) as { missing?: string[] };
    return response.ok ? 'ready' : { missing: body.missing?.join('; ') ?? `it answers ${response.status}` };
  } catch {
    return { missing: 'no answer' }; // nothing listens yet; the deadline ends the wait
  }
}
