import { type Job, type Processor, UnrecoverableError, WaitingError, isNotConnectionError } from 'bullmq';
import { checkVersionJob, type CheckVersionJob } from '#contracts/worker/check-version-job';
import { parseKnown } from '#contracts/worker/parse-known';
import type { Logger } from '#core/logger';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import { AbandonableWorker } from './abandonable-worker.ts';
import { type WorkerIdentity, workerName } from './boot-reclaim.ts';
import type { RedisClient } from '../connection.ts';
import { maintenanceQueue } from '../keys.ts';
import { within } from '../within.ts';

export interface MaintenanceConsumerOptions {
  /** A patient connection; the caller closes it after `stop`. */
  readonly redis: RedisClient;
  readonly prefix: string;
  readonly identity: WorkerIdentity;
  /** Publishes its result itself, failures included; rejects only after a stop, or by a bug. */
  readonly onCheck: (job: CheckVersionJob, signal: AbortSignal) => Promise<void>;
  readonly logger: Logger;
}

const LOCK_MS = MINUTE_MS;
const IDLE_POLL_SECONDS = 30;
const STOP_DEADLINE_MS = 1.5 * SECOND_MS;
const MAX_STALLS = 10;

/** Runs the jobs that any worker may run beside its downloads, one at a time. */
export class MaintenanceConsumer {
  readonly #options: MaintenanceConsumerOptions;
  readonly #worker: AbandonableWorker;
  readonly #stopping = new AbortController();

  constructor(options: MaintenanceConsumerOptions) {
    this.#options = options;
    // Three named parameters and no defaults: BullMQ passes the signal only to a function whose `length` is 3 or more.
    const process: Processor<unknown, null> = async (job, token, signal) => this.#process(job, token, signal);
    const { name, prefix } = maintenanceQueue(options.prefix);
    this.#worker = new AbandonableWorker(name, process, {
      connection: options.redis,
      prefix,
      name: workerName(options.identity),
      autorun: false,
      concurrency: 1,
      lockDuration: LOCK_MS,
      maxStalledCount: MAX_STALLS,
      drainDelay: IDLE_POLL_SECONDS,
    });
    this.#worker.on('error', (err) => {
      if (isNotConnectionError(err)) options.logger.warn({ err }, 'maintenance error');
    });
    this.#worker.on('failed', (job, err) => options.logger.warn({ jobId: job?.id, err }, 'maintenance job failed'));
  }

  /** Does not wait for Redis. */
  start(): void {
    if (this.#stopping.signal.aborted) return;
    void this.#worker.run().catch((err: unknown) => this.#options.logger.error({ err }, 'maintenance ended'));
  }

  /** Puts the job under way back; ends by a deadline even while Redis is down. Safe twice and before start. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    if (!(await within(this.#close(), STOP_DEADLINE_MS))) await within(this.#worker.abandon(), STOP_DEADLINE_MS);
  }

  async #close(): Promise<void> {
    await this.#worker.pause(true);
    this.#worker.cancelAllJobs('shutdown');
    await this.#worker.close();
  }

  async #process(job: Job<unknown>, token: string | undefined, signal: AbortSignal | undefined): Promise<null> {
    const payload = readPayload(job);
    const stopped = AbortSignal.any([this.#stopping.signal, ...(signal === undefined ? [] : [signal])]);
    try {
      await this.#options.onCheck(payload, stopped);
      return null;
    } catch (error) {
      if (!this.#stopping.signal.aborted) throw error;
      await job.moveToWait(token);
      throw new WaitingError('shutdown');
    }
  }
}

/** @throws UnrecoverableError for a job of another kind or shape */
function readPayload(job: Job<unknown>): CheckVersionJob {
  const { parsed } = parseKnown(checkVersionJob.payload, job.data);
  if (job.name === checkVersionJob.name && parsed.success) return parsed.data;
  throw new UnrecoverableError(`this worker does not understand the job "${job.name}": update the worker`);
}
