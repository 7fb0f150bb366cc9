import { randomUUID } from 'node:crypto';
import { describe, it } from '@jest/globals';
import { downloadJob } from '#contracts/worker/download-job';
import { silentLogger } from '#core/logger';
import { connectPatiently, disconnect } from '#queue/connection';
import { DownloadQueues } from '#queue/jobs/download-queue';
import { JobConsumer } from '#queue/jobs/job-consumer';
import { DONE } from '../../../helpers/consumer-kit.ts';
import { aJob } from '../../../helpers/jobs.ts';
import { expectNoLeaks } from '../../../helpers/leaks.ts';
import { privateRedis, testRedis } from '../../../helpers/redis.ts';
import { until } from '../../../helpers/until.ts';
import { expectWithin } from '../../../helpers/within.ts';

expectNoLeaks();

describe('job consumer while Redis is down', () => {
  it('I02 finishes a job that ran through an outage, and stops within the deadline during one', async () => {
    const server = await privateRedis();
    const test = testRedis(server.url);
    const redis = connectPatiently(test.settings, 'worker', silentLogger);
    const queues = new DownloadQueues({ redis: test.settings, logger: silentLogger });
    let release = (): void => undefined;
    const consumer = new JobConsumer({
      redis,
      prefix: test.settings.prefix,
      identity: { workerId: randomUUID(), bootId: randomUUID() },
      host: 'gpu-1',
      pool: false,
      concurrency: 1,
      handler: () => new Promise((resolve) => (release = () => resolve(DONE))),
      onUnhandledFailure: () => undefined,
      logger: silentLogger,
    });
    try {
      await consumer.start();
      const job = aJob();
      await until(() => queues.addAll([{ host: 'gpu-1', job }]).catch(() => undefined), { what: 'the job is added' });
      await until(() => consumer.running === 1, { what: 'the job runs' });
      await server.halt();
      release();
      await until(() => consumer.running === 0, { what: 'the handler ended' });
      await server.resume();
      const address = { host: 'gpu-1', id: downloadJob.id(job) };
      await until(async () => (await queues.inspect([address]).catch(() => []))[0]?.state === 'finished', {
        what: 'the job is finished',
      });
      await server.halt();
      await expectWithin(2_000, () => consumer.stop());
    } finally {
      await consumer.stop();
      disconnect(redis);
      await queues.stop();
      disconnect(test.redis);
      await server.end();
    }
  });
});
