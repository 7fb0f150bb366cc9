import { setTimeout as pause } from 'node:timers/promises';
import { downloadJob } from '#contracts/worker/download-job';
import { confirmQueued, failOverdue, requeueLost, silentDownloads } from '#database/downloads/outbox-queries';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import { isRecorded, lastEventId } from '#queue/events/recorded';
import type { Dependencies } from '../dependencies.ts';
import { RECORDER_GROUP } from './recorder.ts';

type SweepDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'changes' | 'nudgeRelay' | 'now' | 'log'>;

export interface SweepOptions {
  /** The job of an open download is looked up in Redis after this long without an event; milliseconds. */
  readonly silentAfterMs: number;
  /** Longest wait for the recorder in one round; milliseconds, default 20 s. */
  readonly recordedWithinMs?: number;
}

const RECORDED_WITHIN_MS = 20 * SECOND_MS;
const POLL_MS = 100;

const BATCH = 1000;
/** A download whose job was lost this often since the last request fails: its worker dies before it can send an event. */
const MAX_REQUEUES = 10;
/** A worker asks its sources for the last time at the deadline; its answer is waited for this long. */
const LAST_TRY_MS = 15 * MINUTE_MS;

/**
 * Looks up the jobs of downloads without recent events. A job that is gone, or that ended without an event, is queued again as
 * the next generation; a job that is waiting or running stays. After an outage of the API the events of jobs that ended meanwhile are
 * still in the stream: the recorder stores them first.
 *
 * @returns true when there may be more
 */
export async function requeueSilent(deps: SweepDeps, options: SweepOptions): Promise<boolean> {
  await endOverdue(deps);
  const limits = { runningMs: options.silentAfterMs, waitingMs: options.silentAfterMs };
  const silent = await silentDownloads(deps.database, limits, deps.now(), BATCH, deps.queues.shards.away());
  if (silent.length === 0) return false;
  const states = await deps.queues.inspect(
    silent.map(({ id, generation, host }) => ({ host, id: downloadJob.id({ downloadId: id, generation }) })),
  );
  const alive = silent.filter((_, index) => states[index]?.state === 'open');
  const lost = silent.filter((_, index) => ['absent', 'finished'].includes(states[index]?.state ?? 'unknown'));
  await confirmQueued(deps.database, alive, deps.now());
  if (lost.length > 0 && !(await untilRecorded(deps, options))) return false;
  await requeue(deps, lost);
  return silent.length === BATCH;
}

/** The worker ends a download at its deadline, unless it is away. */
async function endOverdue({ database, changes, now, log }: SweepDeps): Promise<void> {
  const failed = await failOverdue(database, new Date(now().getTime() - LAST_TRY_MS), now());
  if (failed.length === 0) return;
  log.warn({ failed: failed.length }, 'downloads waited for their sources until their deadline');
  changes.notify(failed.map(({ id }) => id));
}

/** @returns false when the recorder has not stored by then what is in the stream now: the next round looks again */
async function untilRecorded(
  { queues, prefix, log }: SweepDeps,
  { recordedWithinMs = RECORDED_WITHIN_MS }: SweepOptions,
): Promise<boolean> {
  const lastId = await lastEventId(queues.redis, prefix);
  if (lastId === undefined) return true;
  const deadline = performance.now() + recordedWithinMs;
  while (!(await isRecorded(queues.redis, prefix, RECORDER_GROUP, lastId))) {
    if (performance.now() >= deadline) {
      log.warn({ lastId }, 'the recorder is behind: lost jobs are looked up again in the next round');
      return false;
    }
    await pause(POLL_MS);
  }
  return true;
}

async function requeue(deps: SweepDeps, lost: readonly { id: string; generation: number }[]): Promise<void> {
  if (lost.length === 0) return;
  const { requeued, failed } = await requeueLost(deps.database, lost, MAX_REQUEUES, deps.now());
  deps.log.warn({ requeued, failed: failed.length }, 'jobs were lost and are queued again');
  deps.changes.notify(lost.map(({ id }) => id));
  deps.nudgeRelay();
}
