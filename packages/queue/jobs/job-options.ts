import type { JobsOptions } from 'bullmq';
import { type DownloadJob, downloadJob } from '#contracts/worker/download-job';
import { type Budget, DEFAULT_BUDGETS, MAX_ATTEMPTS, backoffMs } from '#core/policy';
import { DAY_MS, SECOND_MS } from '#core/units';

/** Name of the strategy that every worker registers: a job with an unknown strategy would stay active for ever. */
export const BACKOFF_STRATEGY = 'haulier';

const FINISHED_AGE_SECONDS = (7 * DAY_MS) / SECOND_MS;

/** Finished jobs to keep for the board; the history is in Postgres. Trimmed when a further job finishes. */
const POOL_KEEPS = { completed: 1000, failed: 5000 };
const HOST_KEEPS = { completed: 3, failed: 20 };

/** The options of one download's job; `attempts` is what is left of the download's budget. */
export function jobOptions(host: string | null, job: DownloadJob): JobsOptions & { jobId: string } {
  const keeps = host === null ? POOL_KEEPS : HOST_KEEPS;
  return {
    jobId: downloadJob.id(job),
    attempts: Math.max(1, MAX_ATTEMPTS - job.attemptsUsed),
    backoff: { type: BACKOFF_STRATEGY },
    ...(job.priority === undefined ? {} : { priority: job.priority }),
    removeOnComplete: { count: keeps.completed, age: FINISHED_AGE_SECONDS },
    removeOnFail: { count: keeps.failed, age: FINISHED_AGE_SECONDS },
    sizeLimit: downloadJob.maxPayloadBytes,
    stackTraceLimit: 1,
  };
}

/** The first pause between attempts; it doubles with each further one. */
const BETWEEN_ATTEMPTS: Budget = DEFAULT_BUDGETS.ipfs;

/**
 * The pause before the next attempt; milliseconds.
 *
 * @param attemptsMade attempts that failed, the last one included; at least 1
 */
export const pauseBeforeAttemptMs = (attemptsMade: number, random: number): number =>
  backoffMs(attemptsMade, BETWEEN_ATTEMPTS, random);
