import { type Job, isNotConnectionError } from 'bullmq';
import type { Logger } from '#core/logger';
import { AbandonableWorker } from './abandonable-worker.ts';
import { type WorkerIdentity, reclaimLeftBehind, workerName } from './boot-reclaim.ts';
import type { RedisClient } from '../connection.ts';
import { queueKey, type QueueAddress } from '../keys.ts';
import type { DownloadHandler, StopReason } from './download-handler.ts';
import { backoffStrategy, createProcessor } from './job-processor.ts';

/** A crash is not an attempt: BullMQ's own limit on stalls must not fail a job before the processor does, which counts crashes. */
const MAX_STALLS = 100;
/** How long one blocking wait for a job lasts while the queue is empty. */
const IDLE_POLL_SECONDS = 30;

export interface QueueConsumerOptions {
  readonly queue: QueueAddress;
  readonly redis: RedisClient;
  readonly identity: WorkerIdentity;
  readonly concurrency: number;
  readonly lockDurationMs: number;
  readonly stalledIntervalMs: number;
  readonly handler: DownloadHandler;
  /** Called for a job that failed although its handler returned nothing. */
  readonly onUnhandledFailure: (jobId: string, error: Error) => void;
  readonly logger: Logger;
}

/** One BullMQ worker on one queue. */
export class QueueConsumer {
  readonly #options: QueueConsumerOptions;
  readonly #worker: AbandonableWorker;
  readonly #stopping = new AbortController();
  /** Jobs whose handler returned: the event of their failure is published already. */
  readonly #handled = new WeakSet<Job>();

  constructor(options: QueueConsumerOptions) {
    this.#options = options;
    const processor = createProcessor({
      handler: options.handler,
      stopping: this.#stopping.signal,
      onHandled: (job) => this.#handled.add(job),
      logger: options.logger,
    });
    this.#worker = new AbandonableWorker(options.queue.name, processor, {
      connection: options.redis,
      prefix: options.queue.prefix,
      name: workerName(options.identity),
      autorun: false,
      concurrency: options.concurrency,
      lockDuration: options.lockDurationMs,
      stalledInterval: options.stalledIntervalMs,
      maxStalledCount: MAX_STALLS,
      drainDelay: IDLE_POLL_SECONDS,
      settings: { backoffStrategy },
    });
    this.#listen();
  }

  /** Jobs that may run at once; integer >= 1. Takes effect with the next job. */
  set concurrency(concurrency: number) {
    this.#worker.concurrency = concurrency;
  }

  /** Puts back what earlier boots left behind, then takes jobs until `stop`. */
  async start(): Promise<void> {
    const { queue, redis, identity, logger } = this.#options;
    const reclaimed = await reclaimLeftBehind(this.#worker, queueKey(queue), redis, identity, logger);
    if (reclaimed > 0) logger.info({ queue: queue.name, jobs: reclaimed }, 'jobs of an earlier boot put back');
    if (this.#stopping.signal.aborted) return;
    void this.#worker.run().catch((error: unknown) => logger.error({ queue: queue.name, err: error }, 'worker ended'));
  }

  /** Takes no more jobs, asks the running ones to stop, and resolves when they are back in the queue. */
  async stop(): Promise<void> {
    this.#stopping.abort('shutdown' satisfies StopReason);
    await this.#worker.pause(true);
    this.#worker.cancelAllJobs('shutdown' satisfies StopReason);
    await this.#worker.close();
  }

  /** Closes although `stop` has not finished, as happens while Redis is down: locks expire by themselves. */
  abandon(): Promise<void> {
    return this.#worker.abandon();
  }

  #listen(): void {
    const { queue, logger } = this.#options;
    this.#worker.on('error', (error) => {
      if (isNotConnectionError(error)) logger.warn({ queue: queue.name, err: error }, 'worker error');
      else logger.debug({ queue: queue.name, err: error }, 'worker connection error');
    });
    this.#worker.on('lockRenewalFailed', (jobIds) => {
      for (const id of jobIds) this.#worker.cancelJob(id, 'lock-lost' satisfies StopReason);
    });
    this.#worker.on('stalled', (jobId) => logger.warn({ queue: queue.name, jobId }, 'job of a dead worker put back'));
    this.#worker.on('failed', (job, error) => this.#onFailed(job, error));
  }

  #onFailed(job: Job | undefined, error: Error): void {
    if (job?.id === undefined || job.finishedOn === undefined || this.#handled.has(job)) return;
    this.#options.logger.error({ jobId: job.id, err: error }, 'job failed without a result of its handler');
    this.#options.onUnhandledFailure(job.id, error);
  }
}
