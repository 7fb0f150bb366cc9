import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { MIB } from '#core/units';
import { hold } from '../helpers/origin/origin-fault.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { startRedisWithSentinels, type RedisWithSentinels } from '../helpers/redis-sentinel.ts';
import { sampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { hubOf } from './hub-of.ts';
import { orderingOf, type Ordering } from './ordering.ts';

describe('the system on a Redis that Sentinels watch', () => {
  const files = ['moving', 'queued', 'after'].map((name) => sampleFile(`${name}.bin`, 8 * MIB, name));
  let redis: RedisWithSentinels;
  let origin: Origin;
  let system: System;
  let order: Ordering['order'];
  let expectWhole: Ordering['expectWhole'];

  beforeAll(async () => {
    redis = await startRedisWithSentinels();
    origin = await startOrigin(hubOf(files), [], { bytesPerSecond: 4 * MIB });
    const apiEnv = { HAULIER_SILENT_AFTER: '2s', HAULIER_SWEEP_EVERY: '500ms' };
    system = await startSystem({ origin, redisUrl: redis.url, apiEnv });
    ({ order, expectWhole } = orderingOf(system, files));
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
    await redis.stop();
  });

  it('I33 the master dies: its replica takes over, transfers go on and nothing that was queued is lost', async () => {
    const { fault, go } = hold(2 * MIB);
    origin.rules.push({ path: 'moving.bin', fault });
    const moving = await order('moving', 'host-a');
    await system.awaitDownload(moving, ({ status }) => status === 'in_progress');
    const queued = await order('queued', 'host-b');
    await system.awaitDownload(queued, ({ reason }) => reason !== 'not_queued_yet');
    await redis.failOver();
    origin.rules.pop();
    go();
    await expectWhole(moving, 'moving');
    await system.startWorker('host-b');
    await expectWhole(queued, 'queued');
    await expectWhole(await order('after', 'host-a'), 'after');
  });
});
