import type { Logger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import type { WorkerIdentity } from './boot-reclaim.ts';
import type { RedisClient } from '../connection.ts';
import { downloadQueue, type QueueAddress } from '../keys.ts';
import type { DownloadHandler } from './download-handler.ts';
import { QueueConsumer } from './queue-consumer.ts';
import { within } from '../within.ts';

export interface ConsumerTimings {
  /** How long the lock of a job lasts without a renewal; milliseconds. */
  readonly lockDurationMs: number;
  /** How often the queue is searched for jobs whose lock ran out; milliseconds. */
  readonly stalledIntervalMs: number;
  /** Most time that `stop` waits for handlers; milliseconds. */
  readonly stopDeadlineMs: number;
}

const DEFAULT_TIMINGS: ConsumerTimings = {
  lockDurationMs: 120 * SECOND_MS,
  stalledIntervalMs: 60 * SECOND_MS,
  stopDeadlineMs: 1.5 * SECOND_MS,
};

const ABANDON_GRACE_MS = 100;

export interface ConsumerOptions {
  /** A patient connection; the caller closes it after `stop`. */
  readonly redis: RedisClient;
  readonly prefix: string;
  readonly identity: WorkerIdentity;
  /** Serves the queue of this host; undefined serves none. */
  readonly host: string | undefined;
  /** Serves the queue that workers share. */
  readonly pool: boolean;
  /** Jobs at once over both queues; integer >= 1. */
  readonly concurrency: number;
  readonly handler: DownloadHandler;
  /** Called for a job that failed although its handler returned nothing: unreadable, started too often, a bug. */
  readonly onUnhandledFailure: (jobId: string, error: Error) => void;
  readonly logger: Logger;
  /** Defaults: lock 120 s, stalled check 60 s, stop 1.5 s. */
  readonly timings?: Partial<ConsumerTimings>;
}

/** Runs the handler for the jobs of a host's queue, of the pool's queue, or of both. */
export class JobConsumer {
  readonly #options: ConsumerOptions;
  readonly #timings: ConsumerTimings;
  readonly #running = new Map<string, number>();
  #consumers = new Map<string, QueueConsumer>();
  #stopped: Promise<void> | undefined;

  constructor(options: ConsumerOptions) {
    if (options.host === undefined && !options.pool)
      throw new Error('a worker without a host name must serve the pool: name the host, or switch the pool on');
    this.#options = options;
    this.#timings = { ...DEFAULT_TIMINGS, ...options.timings };
  }

  /**
   * Puts back what earlier boots of this worker left behind, then takes jobs. Waits for Redis for as long as the connection lives.
   */
  async start(): Promise<void> {
    if (this.#stopped !== undefined || this.#consumers.size > 0) return;
    const { host, pool, prefix } = this.#options;
    const hosts = [...(host === undefined ? [] : [host]), ...(pool ? [null] : [])];
    const queues = hosts.map((one) => downloadQueue(prefix, one));
    this.#consumers = new Map(queues.map((queue) => [queue.name, this.#openConsumer(queue)]));
    try {
      await Promise.all([...this.#consumers.values()].map((consumer) => consumer.start()));
    } catch (error) {
      if (this.#stopped === undefined) throw error;
    }
  }

  /**
   * Asks running handlers to stop and lets them put their jobs back; ends by the deadline even while Redis is
   * down. Safe twice and before start.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Jobs whose handler runs now. */
  get running(): number {
    return [...this.#running.values()].reduce((sum, count) => sum + count, 0);
  }

  async #stop(): Promise<void> {
    const consumers = [...this.#consumers.values()];
    const closed = Promise.all(consumers.map((consumer) => consumer.stop()));
    if (!(await within(closed, this.#timings.stopDeadlineMs))) {
      this.#options.logger.warn({ running: this.running }, 'jobs were not put back in time: their locks will run out');
      await within(Promise.all(consumers.map((consumer) => consumer.abandon())), ABANDON_GRACE_MS);
    }
  }

  #openConsumer(queue: QueueAddress): QueueConsumer {
    const { redis, identity, handler, onUnhandledFailure, logger } = this.#options;
    return new QueueConsumer({
      queue,
      redis,
      identity,
      concurrency: this.#options.concurrency,
      lockDurationMs: this.#timings.lockDurationMs,
      stalledIntervalMs: this.#timings.stalledIntervalMs,
      handler: this.#counted(queue.name, handler),
      onUnhandledFailure,
      logger,
    });
  }

  #counted(queueName: string, handler: DownloadHandler): DownloadHandler {
    const count = (step: number): void => {
      this.#running.set(queueName, (this.#running.get(queueName) ?? 0) + step);
      this.#share();
    };
    return async (job, context) => {
      count(1);
      try {
        return await handler(job, context);
      } finally {
        count(-1);
      }
    };
  }

  /** Each queue may use the free slots of the other, and always has one, so that neither starves. */
  #share(): void {
    for (const [queueName, consumer] of this.#consumers) {
      const elsewhere = this.running - (this.#running.get(queueName) ?? 0);
      consumer.concurrency = Math.max(1, this.#options.concurrency - elsewhere);
    }
  }
}
