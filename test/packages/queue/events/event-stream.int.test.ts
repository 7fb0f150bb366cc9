import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { EventBatch, WorkerEvent } from '#contracts/worker/worker-events';
import { silentLogger } from '#core/logger';
import type { EventPublisher } from '#queue/events/event-publisher';
import { EventReader, type EventReaderOptions } from '#queue/events/event-reader';
import { deadEventsKey, eventStreamKey } from '#queue/keys';
import { BOOT_ID, eventsOf, makePublisher, progress, started } from './event-kit.ts';
import { expectNoLeaks } from '../../../helpers/leaks.ts';
import { type TestRedis, testRedis } from '../../../helpers/redis.ts';
import { until } from '../../../helpers/until.ts';

expectNoLeaks();

describe('event stream', () => {
  let test: TestRedis;
  let publisher: EventPublisher;
  let readers: EventReader[];

  beforeEach(() => {
    test = testRedis();
    publisher = makePublisher(test);
    readers = [];
  });

  afterEach(async () => {
    await publisher.stop();
    await Promise.all(readers.map((reader) => reader.stop()));
    await test.cleanup();
  });

  function read(consumer: string, take: (batches: EventBatch[]) => Promise<void>, claimAfterMs = 30_000): EventReader {
    const common = { redis: test.settings, group: 'recorder', consumer, claimAfterMs, logger: silentLogger };
    const options: EventReaderOptions = { ...common, onBatches: (all) => take(all.map(({ batch }) => batch)) };
    const reader = new EventReader(options);
    readers.push(reader);
    reader.start();
    return reader;
  }

  const pending = async (): Promise<number> =>
    Number(((await test.redis.xpending(eventStreamKey(test.settings.prefix), 'recorder')) as [number])[0]);

  it('brings events over in order, with host, boot and sequence', async () => {
    const taken: EventBatch[] = [];
    read('a', async (batches) => void taken.push(...batches));
    const first = started();
    const second = started();
    publisher.publish(first);
    await publisher.flush();
    publisher.publish(second);
    await publisher.flush();
    await until(() => taken.length === 2, { what: 'both batches are read' });
    expect(eventsOf(taken)).toEqual([first, second]);
    expect(taken.map(({ host, bootId, sequence }) => [host, bootId, sequence])).toEqual([
      ['gpu-1', BOOT_ID, 0],
      ['gpu-1', BOOT_ID, 1],
    ]);
    await until(async () => (await pending()) === 0, { what: 'all is acknowledged' });
  });

  it('flush resolves only when every published event is in the stream', async () => {
    for (let count = 0; count < 1_200; count++) publisher.publish(started());
    await publisher.flush();
    expect(await test.redis.xlen(eventStreamKey(test.settings.prefix))).toBe(3);
    await publisher.flush();
  });

  it('I19 sends only the newest position of a download that waits', async () => {
    const downloadId = randomUUID();
    for (let bytes = 0; bytes < 100; bytes++) publisher.publish(progress(downloadId, bytes));
    await publisher.flush();
    const taken: EventBatch[] = [];
    read('a', async (batches) => void taken.push(...batches));
    await until(() => taken.length > 0, { what: 'a batch is read' });
    expect(eventsOf(taken)).toEqual([progress(downloadId, 99)]);
  });

  it('shares the work among readers, each batch once', async () => {
    const taken: Record<string, string[]> = { a: [], b: [] };
    for (const name of ['a', 'b'])
      read(name, async (batches) => {
        for (const event of eventsOf(batches)) if ('downloadId' in event) taken[name]!.push(event.downloadId);
      });
    const ids: string[] = [];
    // Who gets a batch is for Redis to say, and a reader may be late: batches come until both have had some.
    await until(
      async () => {
        ids.push(randomUUID());
        publisher.publish(started(ids.at(-1)));
        await publisher.flush();
        return taken['a']!.length > 0 && taken['b']!.length > 0;
      },
      { what: 'both readers have read' },
    );
    await until(() => taken['a']!.length + taken['b']!.length >= ids.length, { what: 'all are read' });
    expect([...taken['a']!, ...taken['b']!].sort()).toEqual([...ids].sort());
  });

  it('takes over the unacknowledged entries of a crashed reader', async () => {
    const group = ['GROUP', 'recorder', 'crashed'] as const;
    const key = eventStreamKey(test.settings.prefix);
    await test.redis.xgroup('CREATE', key, 'recorder', '0', 'MKSTREAM');
    const event = started();
    publisher.publish(event);
    await publisher.flush();
    await test.redis.xreadgroup(...group, 'COUNT', 10, 'STREAMS', key, '>');
    const taken: EventBatch[] = [];
    read('b', async (batches) => void taken.push(...batches), 100);
    await until(() => taken.length === 1, { what: 'the entry is taken over' });
    expect(eventsOf(taken)).toEqual([event]);
    await until(async () => (await pending()) === 0, { what: 'it is acknowledged' });
  });

  it('acknowledges only after the callback resolved, and gives a rejected batch again', async () => {
    let calls = 0;
    let isDown = true;
    const taken: EventBatch[] = [];
    read('a', async (batches) => {
      calls += 1;
      if (isDown) throw new Error('the database is down');
      taken.push(...batches);
    });
    const event = started();
    publisher.publish(event);
    await publisher.flush();
    await until(() => calls >= 2, { what: 'the batch comes again' });
    expect(await pending()).toBe(1);
    isDown = false;
    await until(() => taken.length > 0, { what: 'the batch is taken' });
    expect(eventsOf(taken)).toEqual([event]);
    await until(async () => (await pending()) === 0, { what: 'it is acknowledged' });
  });

  it('puts an unreadable entry aside, counts it, and reads on', async () => {
    const key = eventStreamKey(test.settings.prefix);
    await test.redis.xadd(key, '*', 'batch', '{"version":99}');
    await test.redis.xadd(key, '*', 'batch', 'not json');
    await test.redis.xadd(key, '*', 'other', 'field');
    const event = started();
    publisher.publish(event);
    await publisher.flush();
    const taken: EventBatch[] = [];
    const reader = read('a', async (batches) => void taken.push(...batches));
    await until(() => taken.length === 1, { what: 'the good batch is read' });
    expect(eventsOf(taken)).toEqual([event]);
    await until(() => reader.counts.batches === 1, { what: 'the good batch is counted' });
    expect(reader.counts).toEqual({ batches: 1, poison: 3, lost: 0 });
    expect(await test.redis.xlen(deadEventsKey(test.settings.prefix))).toBe(3);
    await until(async () => (await pending()) === 0, { what: 'all is acknowledged' });
  });

  it('puts a batch aside that is always rejected while others are taken', async () => {
    const bad = randomUUID();
    const taken: WorkerEvent[] = [];
    const reader = read('a', async (batches) => {
      const events = eventsOf(batches);
      if (events.some((event) => 'downloadId' in event && event.downloadId === bad))
        throw new Error('cannot be stored');
      taken.push(...events);
    });
    publisher.publish(started(bad));
    await publisher.flush();
    const others = setInterval(() => publisher.publish(started()), 30);
    await until(() => reader.counts.poison === 1, { what: 'the bad batch is put aside' });
    clearInterval(others);
    expect(taken.length).toBeGreaterThan(0);
  });

  it('I03 goes on after Redis was flushed', async () => {
    const taken: EventBatch[] = [];
    read('a', async (batches) => void taken.push(...batches));
    publisher.publish(started());
    await until(() => taken.length === 1, { what: 'the first batch is read' });
    await test.redis.del(eventStreamKey(test.settings.prefix));
    const event = started();
    publisher.publish(event);
    await until(() => taken.length === 2, { what: 'the batch after the flush is read' });
    expect(taken[1]?.events).toEqual([event]);
  });
});
