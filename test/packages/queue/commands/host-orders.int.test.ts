import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { HostOrder } from '#contracts/worker/worker-events';
import { silentLogger } from '#core/logger';
import { HostOrders, publishOrder } from '#queue/commands/host-orders';
import { testRedis, type TestRedis } from '../../../helpers/redis.ts';
import { until } from '../../../helpers/until.ts';

describe('orders for a host', () => {
  let redis: TestRedis;
  const running: HostOrders[] = [];
  beforeEach(() => {
    redis = testRedis();
  });
  afterEach(async () => {
    for (const orders of running.splice(0)) orders.stop();
    await redis.cleanup();
  });

  const order = (model: string | null = null): HostOrder => ({
    version: 1,
    id: randomUUID(),
    order: 'verify',
    model,
    requestedAt: 1,
  });
  const ask = (asked: HostOrder, host = 'gpu-1') => publishOrder(redis.redis, redis.settings.prefix, host, asked);
  const kept = () => redis.redis.hlen(`${redis.settings.prefix}:orders:gpu-1`);

  function work(onOrder: (order: HostOrder, signal: AbortSignal) => Promise<void>, everyMs?: number): HostOrders {
    const { settings } = redis;
    const orders = new HostOrders({
      settings,
      redis: redis.redis,
      host: 'gpu-1',
      onOrder,
      logger: silentLogger,
      ...(everyMs === undefined ? {} : { everyMs }),
    });
    running.push(orders);
    orders.start();
    return orders;
  }

  it('are carried out when they come, once, by their host only', async () => {
    const done: string[] = [];
    work(async ({ id }) => void done.push(id));
    const [mine, other] = [order(), order()];
    await until(async () => (await redis.redis.pubsub('NUMSUB', `${redis.settings.prefix}:orders:gpu-1`))[1] === 1, {
      what: 'the worker listens',
    });
    await ask(other, 'gpu-2');
    await ask(mine);
    await until(async () => done.length > 0 && (await kept()) === 0, { what: 'the order is done' });
    expect(done).toEqual([mine.id]);
  });

  it('wait for a worker that is offline; the same one again takes the place of the first', async () => {
    const [first, second, model] = [order(), order(), order('whisper')];
    for (const asked of [first, second, model]) await ask(asked);
    const done: string[] = [];
    work(async ({ id }) => void done.push(id));
    await until(async () => (await kept()) === 0, { what: 'all orders are done' });
    expect(done.sort()).toEqual([second.id, model.id].sort());
  });

  it('stay when they fail, and are tried again', async () => {
    await ask(order());
    let tries = 0;
    work(async () => {
      tries += 1;
      if (tries === 1) throw new Error('disk');
    }, 20);
    await until(async () => (await kept()) === 0, { what: 'the order is done' });
    expect(tries).toBe(2);
  });

  it('stay when the worker stops in the middle', async () => {
    await ask(order());
    let ended = 0;
    const orders = work(
      (_order, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            ended += 1;
            reject(new Error('stopped'));
          });
          orders.stop();
        }),
    );
    await until(() => ended === 1, { what: 'the order was begun' });
    expect(await kept()).toBe(1);
  });

  it('a newer order of the same kind that came meanwhile is carried out too', async () => {
    const [first, second] = [order(), order()];
    const done: string[] = [];
    await ask(first);
    work(async ({ id }) => {
      if (id === first.id) await ask(second);
      done.push(id);
    });
    await until(async () => (await kept()) === 0, { what: 'both orders are done' });
    expect(done).toEqual([first.id, second.id]);
  });

  it('an activation does not wait for a check of the store, and two rollouts do not replace each other', async () => {
    const checking = order();
    const shows = (): HostOrder => ({
      ...{ version: 1, id: randomUUID(), order: 'activate', requestedAt: 1 },
      models: [{ name: 'whisper', version: '1' }],
    });
    const [first, second] = [shows(), shows()];
    for (const asked of [checking, first, second]) await ask(asked);
    const done: string[] = [];
    let checked: (() => void) | undefined;
    work(async ({ id }) => {
      if (id === checking.id) await new Promise<void>((resolve) => (checked = resolve));
      done.push(id);
    });
    await until(async () => (await kept()) === 1 && checked !== undefined, { what: 'only the check is left' });
    expect(done.sort()).toEqual([first.id, second.id].sort());
    checked!();
    await until(async () => (await kept()) === 0, { what: 'all orders are done' });
  });

  it('an order that cannot be read is deleted', async () => {
    await redis.redis.hset(`${redis.settings.prefix}:orders:gpu-1`, '*', '{"order":"dance"}');
    work(async () => undefined);
    await until(async () => (await kept()) === 0, { what: 'it is gone' });
  });
});
