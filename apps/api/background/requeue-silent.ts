import { downloadJob } from '#contracts/worker/download-job';
import { confirmQueued, requeueLost, silentDownloads } from '#database/downloads/outbox-queries';
import type { Dependencies } from '../dependencies.ts';

type SweepDeps = Pick<Dependencies, 'database' | 'queues' | 'changes' | 'nudgeRelay' | 'now' | 'log'>;

export interface SweepOptions {
  /** An open download that nothing was heard of for this long is looked up in Redis; milliseconds. */
  readonly silentAfterMs: number;
}

const BATCH = 1000;
/** After so many lost jobs since a person last asked, something kills the worker before it can say a word. */
const MAX_REQUEUES = 10;

/**
 * Looks up the jobs of silent downloads. A job that is gone, or ended without a word, is queued anew as the next
 * generation; one that is there is left alone.
 *
 * @returns true when there may be more
 */
export async function requeueSilent(deps: SweepDeps, options: SweepOptions): Promise<boolean> {
  const limits = { runningMs: options.silentAfterMs, waitingMs: options.silentAfterMs };
  const silent = await silentDownloads(deps.database, limits, deps.now(), BATCH);
  if (silent.length === 0) return false;
  const states = await deps.queues.inspect(
    silent.map(({ id, generation, host }) => ({ host, id: downloadJob.id({ downloadId: id, generation }) })),
  );
  const alive = silent.filter((_, index) => states[index]?.state === 'open');
  const lost = silent.filter((_, index) => states[index]?.state !== 'open');
  await confirmQueued(deps.database, alive, deps.now());
  await requeue(deps, lost);
  return silent.length === BATCH;
}

async function requeue(deps: SweepDeps, lost: readonly { id: string; generation: number }[]): Promise<void> {
  if (lost.length === 0) return;
  const { requeued, failed } = await requeueLost(deps.database, lost, MAX_REQUEUES, deps.now());
  deps.log.warn({ requeued, failed: failed.length }, 'jobs were lost and are queued anew');
  deps.changes.notify(lost.map(({ id }) => id));
  deps.nudgeRelay();
}
