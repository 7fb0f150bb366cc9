import { type BackoffStrategy, DelayedError, type Job, type Processor, UnrecoverableError, WaitingError } from 'bullmq';
import { type DownloadJob, type JobWaits, downloadJob } from '#contracts/worker/download-job';
import { parseKnown } from '#contracts/worker/parse-known';
import type { Logger } from '#core/logger';
import type { AttemptContext, DownloadHandler, HandlerResult } from './download-handler.ts';
import { pauseBeforeAttemptMs } from './job-options.ts';

/** One attempt failed for a reason that may pass; BullMQ asks `backoffStrategy` when to start the next. */
class AttemptError extends Error {
  override readonly name = 'AttemptError';
  readonly afterMs: number | undefined;

  constructor(cause: Error, afterMs: number | undefined) {
    super(cause.message, { cause });
    this.afterMs = afterMs;
  }
}

export const backoffStrategy: BackoffStrategy = (attemptsMade, _type, error) =>
  (error instanceof AttemptError ? error.afterMs : undefined) ?? pauseBeforeAttemptMs(attemptsMade, Math.random());

export interface ProcessorOptions {
  readonly handler: DownloadHandler;
  /** Once it fired, a job that still arrives goes straight back. */
  readonly stopping: AbortSignal;
  /** Called for each job whose handler returned a result: its event is published already. */
  readonly onHandled: (job: Job) => void;
  readonly logger: Logger;
}

/**
 * Applies the handler's result to the job.
 *
 * Three named parameters and no defaults: BullMQ passes the signal only to a function whose `length` is 3 or more.
 */
export function createProcessor(options: ProcessorOptions): Processor<unknown, null> {
  return async (job, token, signal) => {
    if (token === undefined || signal === undefined) throw new Error('BullMQ gave no token or no signal');
    if (options.stopping.aborted) return settle(job, token, { do: 'put-back', reason: 'shutdown' }, options.logger);
    refuseCrashLoop(job);
    const payload = readPayload(job, options.logger);
    const result = await options.handler(payload, contextOf(job, payload, signal));
    options.onHandled(job);
    return settle(job, token, result, options.logger);
  };
}

/**
 * A job of a later API may have fields that this worker does not know.
 *
 * @throws UnrecoverableError for a job of another kind or shape, with what to do about it
 */
function readPayload(job: Job<unknown>, logger: Logger): DownloadJob {
  if (job.name !== downloadJob.name)
    throw new UnrecoverableError(
      `this worker knows no job "${job.name}", only "${downloadJob.name}": update the worker, or remove the job`,
    );
  const { parsed, ignored } = parseKnown(downloadJob.payload, job.data);
  if (ignored.length > 0)
    logger.warn({ jobId: job.id, ignored }, 'job has fields that this worker does not know: update the worker');
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(
    (issue) => `${issue.path.map(String).join('.') || 'payload'}: ${issue.message}`,
  );
  throw new UnrecoverableError(
    `the job is not one that this worker understands (${issues.join('; ')}): update the worker or the API, then resume`,
  );
}

/** A job that was begun this often without an end of its handler crashes every worker. */
const MAX_CRASHES = 30;

/**
 * BullMQ's own limit on starts is not used: a job that waits for sources or for disk space is begun again and again in order.
 *
 * @throws UnrecoverableError for a job that crashes every worker
 */
function refuseCrashLoop(job: Job<unknown>): void {
  const crashes = job.attemptsStarted - 1 - job.attemptsMade - waitsOf(job).orderlyStarts;
  if (crashes > MAX_CRASHES)
    throw new UnrecoverableError(
      `it was begun ${crashes} times without an end: its worker dies while it runs; look at the worker's log, then resume`,
    );
}

/** What the payload says; none for a payload that cannot be read. */
function waitsOf({ data }: Job<unknown>): JobWaits {
  const waits = downloadJob.payload.shape.waits.safeParse((data as Partial<DownloadJob> | null)?.waits).data;
  return waits ?? { orderlyStarts: 0, sourceWaitsInARow: 0 };
}

const contextOf = (job: Job<unknown>, payload: DownloadJob, signal: AbortSignal): AttemptContext => ({
  attempt: payload.attemptsUsed + job.attemptsMade + 1,
  lastAttempt: job.attemptsMade + 1 >= (job.opts.attempts ?? 1),
  timesStarted: job.attemptsStarted,
  sourceWaitsInARow: payload.waits?.sourceWaitsInARow ?? 0,
  signal,
});

async function settle(job: Job<unknown>, token: string, result: HandlerResult, logger: Logger): Promise<null> {
  switch (result.do) {
    case 'done':
      return null;
    case 'put-back':
      await letGo(job, logger, async () => {
        if (result.reason !== 'lock-lost') await keepWaits(job, waitsOf(job).sourceWaitsInARow);
        await job.moveToWait(token);
      });
      throw new WaitingError(result.reason);
    case 'delay':
      await letGo(job, logger, async () => {
        await keepWaits(job, result.for === 'sources' ? waitsOf(job).sourceWaitsInARow + 1 : 0);
        await job.moveToDelayed(result.untilMs, token);
      });
      throw new DelayedError();
    case 'retry':
      if (waitsOf(job).sourceWaitsInARow > 0) await letGo(job, logger, () => forgetSourceWaits(job));
      throw new AttemptError(result.error, result.afterMs);
    case 'fail':
      throw new UnrecoverableError(result.error.message);
  }
}

/** Counts one more start that ended in order. */
const keepWaits = (job: Job<unknown>, sourceWaitsInARow: number): Promise<void> =>
  writeWaits(job, { orderlyStarts: waitsOf(job).orderlyStarts + 1, sourceWaitsInARow });

const forgetSourceWaits = (job: Job<unknown>): Promise<void> =>
  writeWaits(job, { ...waitsOf(job), sourceWaitsInARow: 0 });

const writeWaits = (job: Job<unknown>, waits: JobWaits): Promise<void> =>
  job.updateData({ ...(job.data as object), waits });

/** A job whose lock is lost, or that Redis no longer has, is left to the worker that holds it now. */
async function letGo(job: Job<unknown>, logger: Logger, move: () => Promise<unknown>): Promise<void> {
  try {
    await move();
  } catch (error) {
    logger.warn({ jobId: job.id, err: error }, 'job belongs to another worker now');
  }
}
