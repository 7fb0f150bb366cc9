import { randomUUID } from 'node:crypto';
import { type DownloadJob, downloadJob } from '#contracts/worker/download-job';
import { silentLogger } from '#core/logger';
import type { AttemptContext, HandlerResult } from '#queue/jobs/download-handler';
import { DownloadQueues } from '#queue/jobs/download-queue';
import { type ConsumerOptions, JobConsumer } from '#queue/jobs/job-consumer';
import { aJob } from './jobs.ts';
import { type TestRedis, testRedis } from './redis.ts';
import { until } from './until.ts';

export const DONE: HandlerResult = { do: 'done' };

/** Resolves when the attempt is told to stop. */
export const stopped = ({ signal }: AttemptContext): Promise<unknown> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    signal.addEventListener('abort', () => resolve(signal.reason), { once: true });
  });

/** Queues and consumers over one Redis, for one test. */
export class ConsumerKit {
  readonly test: TestRedis = testRedis();
  readonly queues = new DownloadQueues({ redis: this.test.settings, logger: silentLogger });
  /** Failures that no handler told of. */
  readonly failures: { jobId: string; message: string }[] = [];
  readonly #consumers: JobConsumer[] = [];

  async ready(): Promise<void> {
    await until(() => this.queues.redis.status === 'ready', { what: 'the connection is ready' });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#consumers.map((consumer) => consumer.stop()));
    await this.queues.stop();
    await this.test.cleanup();
  }

  /** Starts a consumer of the pool, unless the parts say otherwise. */
  async consume(parts: Pick<ConsumerOptions, 'handler'> & Partial<ConsumerOptions>): Promise<JobConsumer> {
    const consumer = new JobConsumer({
      redis: this.test.redis,
      prefix: this.test.settings.prefix,
      identity: { workerId: randomUUID(), bootId: randomUUID() },
      host: undefined,
      pool: true,
      concurrency: 2,
      onUnhandledFailure: (jobId, error) => this.failures.push({ jobId, message: error.message }),
      logger: silentLogger,
      ...parts,
    });
    this.#consumers.push(consumer);
    await consumer.start();
    return consumer;
  }

  async add(host: string | null = null, job = aJob()): Promise<DownloadJob> {
    await this.queues.addAll([{ host, job }]);
    return job;
  }

  async found(job: DownloadJob, host: string | null = null) {
    const stored = await this.queues.openQueue(host).getJob(downloadJob.id(job));
    if (stored === undefined) throw new Error('the job is gone');
    return stored;
  }

  untilState(job: DownloadJob, state: string, host: string | null = null, timeoutMs = 180_000) {
    const isThere = async () => (await (await this.found(job, host)).getState()) === state;
    return until(isThere, { what: `the job is ${state}`, timeoutMs });
  }
}
