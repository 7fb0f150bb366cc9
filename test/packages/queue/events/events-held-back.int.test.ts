import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { EventBatch } from '#contracts/worker/worker-events';
import { silentLogger } from '#core/logger';
import { connectPatiently, disconnect } from '#queue/connection';
import { EventReader } from '#queue/events/event-reader';
import { eventsOf, makePublisher, progress, started } from './event-kit.ts';
import { expectNoLeaks } from '../../../helpers/leaks.ts';
import { privateRedis, testRedis } from '../../../helpers/redis.ts';
import { until } from '../../../helpers/until.ts';
import { expectWithin } from '../../../helpers/within.ts';

expectNoLeaks();

describe('event stream while Redis is down', () => {
  it('I02 holds events back in order, never more progress than the newest, and delivers all of them', async () => {
    const server = await privateRedis();
    const test = testRedis(server.url);
    const redis = connectPatiently(test.settings, 'worker', silentLogger);
    const publisher = makePublisher({ ...test, redis });
    const taken: EventBatch[] = [];
    const reader = new EventReader({
      redis: test.settings,
      group: 'recorder',
      consumer: 'a',
      onBatches: async (received) => void taken.push(...received.map(({ batch }) => batch)),
      logger: silentLogger,
    });
    try {
      reader.start();
      const ids = Array.from({ length: 30 }, () => randomUUID());
      const moving = randomUUID();
      publisher.publish(started(ids[0]));
      await publisher.flush();
      await server.halt();
      for (const [index, id] of ids.slice(1).entries()) {
        publisher.publish(started(id));
        publisher.publish(progress(moving, index));
      }
      const flushed = publisher.flush();
      await server.resume();
      await flushed;
      const starts = (): string[] =>
        eventsOf(taken).flatMap((event) => (event.type === 'download.started' ? [event.downloadId] : []));
      await until(() => new Set(starts()).size === ids.length, { what: 'every event arrived' });
      expect([...new Set(starts())]).toEqual(ids);
      expect(eventsOf(taken)).toContainEqual(progress(moving, 28));
    } finally {
      await reader.stop();
      await publisher.stop();
      disconnect(redis);
      disconnect(test.redis);
      await server.end();
    }
  });

  it('stops waiting at an abort, and stops without Redis', async () => {
    const server = await privateRedis();
    const test = testRedis(server.url);
    await server.halt();
    const publisher = makePublisher(test);
    publisher.publish(started());
    const giveUp = new AbortController();
    const flushed = publisher.flush(giveUp.signal);
    giveUp.abort(new Error('enough'));
    await expect(flushed).rejects.toThrow('enough');
    await expectWithin(1_000, async () => {
      await publisher.stop();
      await publisher.stop();
    });
    disconnect(test.redis);
    await server.end();
  });
});
