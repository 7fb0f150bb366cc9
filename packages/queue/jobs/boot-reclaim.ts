import { Job, type MinimalQueue } from 'bullmq';
import type { Logger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import type { RedisClient } from '../connection.ts';

/**
 * Identity of a worker: `workerId` is kept on the worker's disk and held by one process at a time, `bootId` is new with
 * every start. Together they are the name that BullMQ writes on each job a worker takes.
 */
export interface WorkerIdentity {
  readonly workerId: string;
  readonly bootId: string;
}

/** BullMQ puts the name into the connection's name, so it has no spaces. */
export const workerName = ({ workerId, bootId }: WorkerIdentity): string => `${workerId}.${bootId}`;

/** True when an earlier boot of this worker took the job: that process has ended. */
export function isLeftBehind(processedBy: string | null, { workerId, bootId }: WorkerIdentity): boolean {
  if (processedBy === null) return false;
  const dot = processedBy.lastIndexOf('.');
  return processedBy.slice(0, dot) === workerId && processedBy.slice(dot + 1) !== bootId;
}

const RECLAIM_LOCK_MS = 10 * SECOND_MS;

/**
 * Puts the active jobs that earlier boots of this worker left behind back to the head of their queue, without
 * waiting for their locks to run out and without burning an attempt.
 *
 * Safe beside other workers: BullMQ moves a job only when the lock is the one that is named.
 * @param queueKey `<prefix>:<queue>`
 * @returns how many jobs were put back
 */
export async function reclaimLeftBehind(
  queue: MinimalQueue,
  queueKey: string,
  redis: RedisClient,
  identity: WorkerIdentity,
  logger: Logger,
): Promise<number> {
  let reclaimed = 0;
  for (const id of await leftBehind(queueKey, redis, identity)) {
    try {
      reclaimed += (await putBack(queue, `${queueKey}:${id}`, id, redis, identity)) ? 1 : 0;
    } catch (error) {
      logger.warn({ jobId: id, err: error }, 'job of an earlier boot was not reclaimed');
    }
  }
  return reclaimed;
}

async function leftBehind(queueKey: string, redis: RedisClient, identity: WorkerIdentity): Promise<string[]> {
  const active = await redis.lrange(`${queueKey}:active`, 0, -1);
  if (active.length === 0) return [];
  const pipeline = redis.pipeline();
  for (const id of active) pipeline.hget(`${queueKey}:${id}`, 'pb');
  const replies = (await pipeline.exec()) ?? [];
  return active.filter((_, index) => isLeftBehind((replies[index]?.[1] ?? null) as string | null, identity));
}

async function putBack(
  queue: MinimalQueue,
  jobKey: string,
  id: string,
  redis: RedisClient,
  identity: WorkerIdentity,
): Promise<boolean> {
  const token = await lockTokenOf(jobKey, redis, identity);
  const job = await Job.fromId(queue, id);
  if (job === undefined) return false;
  await job.moveToWait(token);
  return true;
}

/** The lock of the ended worker, or a lock of our own where that one has expired. */
async function lockTokenOf(jobKey: string, redis: RedisClient, identity: WorkerIdentity): Promise<string> {
  const ours = `reclaim:${identity.bootId}`;
  const taken = await redis.set(`${jobKey}:lock`, ours, 'PX', RECLAIM_LOCK_MS, 'NX');
  if (taken === 'OK') return ours;
  return (await redis.get(`${jobKey}:lock`)) ?? ours;
}
