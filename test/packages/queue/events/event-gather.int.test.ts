import { randomUUID } from 'node:crypto';
import { expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { EventPublisher } from '#queue/events/event-publisher';
import { EventReader } from '#queue/events/event-reader';
import { expectNoLeaks } from '../../../helpers/leaks.ts';
import { testRedis } from '../../../helpers/redis.ts';
import { until } from '../../../helpers/until.ts';

expectNoLeaks();

it('takes the first batch after a quiet time at once, and those that come soon after it together', async () => {
  const { settings, redis, cleanup } = testRedis();
  const sizes: number[] = [];
  const reader = new EventReader({
    ...{ redis: settings, group: 'recorder', consumer: 'a', gatherMs: 2_000, logger: silentLogger },
    onBatches: async (batches) => void sizes.push(batches.length),
  });
  const publisher = new EventPublisher({
    ...{ redis, prefix: settings.prefix, host: 'gpu-1', bootId: randomUUID(), logger: silentLogger },
  });
  const publishOne = async (): Promise<void> => {
    const of = { downloadId: randomUUID(), generation: 1, attempt: 1, resumedBytes: 0 };
    publisher.publish({ type: 'download.started', at: 1, ...of });
    await publisher.flush();
  };
  try {
    reader.start();
    await publishOne();
    await until(() => sizes.length === 1, { what: 'the first batch is read' });
    for (let more = 0; more < 3; more += 1) await publishOne();
    await until(() => sizes.length === 2, { what: 'the others are read' });
    expect(sizes).toEqual([1, 3]);
  } finally {
    await reader.stop();
    await publisher.stop();
    await cleanup();
  }
});
