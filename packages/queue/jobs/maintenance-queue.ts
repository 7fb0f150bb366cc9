import { Queue } from 'bullmq';
import { checkVersionJob, type CheckVersionJob } from '#contracts/worker/check-version-job';
import type { Logger } from '#core/logger';
import { DAY_MS, SECOND_MS } from '#core/units';
import type { RedisClient } from '../connection.ts';
import { maintenanceQueue } from '../keys.ts';

export interface MaintenanceQueueOptions {
  /** An impatient connection; the caller closes it after `stop`. */
  readonly redis: RedisClient;
  readonly prefix: string;
  readonly logger: Logger;
}

const KEEP = { age: (7 * DAY_MS) / SECOND_MS };

/** The API's side of the jobs that need the outside but belong to no host. */
export class MaintenanceQueue {
  /** For the board. */
  readonly queue: Queue;

  constructor({ redis, prefix, logger }: MaintenanceQueueOptions) {
    const { name, prefix: tagged } = maintenanceQueue(prefix);
    this.queue = new Queue(name, {
      connection: redis,
      prefix: tagged,
      skipWaitingForReady: true,
      skipVersionCheck: true,
      streams: { events: { maxLen: 100 } },
    });
    this.queue.on('error', (err) => logger.debug({ err }, 'maintenance queue error'));
  }

  /**
   * Adds a job; one whose id Redis knows, finished ones included, is left as it is.
   *
   * @throws Error while Redis is down or refuses a write
   */
  async add(job: CheckVersionJob, id: string): Promise<void> {
    await this.queue.add(checkVersionJob.name, job, {
      jobId: id,
      removeOnComplete: { ...KEEP, count: 1000 },
      removeOnFail: { ...KEEP, count: 5000 },
      stackTraceLimit: 1,
    });
  }

  /** Never waits for a Redis that is down. Safe twice. */
  async stop(): Promise<void> {
    await Promise.allSettled([this.queue.close()]);
  }
}
