import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { HostHeldError, HostLock, type HostLockOptions } from '#queue/jobs/host-lock';
import { hostLockKey } from '#queue/keys';
import { testRedis, type TestRedis } from '../../../helpers/redis.ts';
import { until } from '../../../helpers/until.ts';

const HOUR_MS = 3_600_000;

describe('the lock of a host', () => {
  let redis: TestRedis;
  const made: HostLock[] = [];
  beforeEach(() => {
    redis = testRedis();
  });
  afterEach(async () => {
    for (const lock of made.splice(0)) await lock.stop();
    await redis.cleanup();
  });

  const key = () => hostLockKey(redis.settings.prefix, 'gpu-1');
  const holder = () => redis.redis.hget(key(), 'bootId');
  const worker = (workerId: string = randomUUID()) => ({ workerId, bootId: randomUUID() });

  function lockOf(identity: HostLockOptions['identity'], more: Partial<HostLockOptions> = {}): HostLock {
    const lock = new HostLock({
      ...{ redis: redis.redis, prefix: redis.settings.prefix, host: 'gpu-1', identity, machine: 'machine-a' },
      ...{ onLost: () => undefined, onRefused: () => undefined, logger: silentLogger },
      ...more,
      timings: { expiryMs: 10_000, renewEveryMs: 150, lookEveryMs: 20, ...more.timings },
    });
    made.push(lock);
    return lock;
  }

  it('N42 is refused to a second worker while the first renews it, and the first hears of it', async () => {
    const refused: string[] = [];
    const [first, second] = [worker(), worker()];
    await lockOf(first, { onRefused: (machine) => refused.push(machine) }).take();
    const late = lockOf(second, { host: 'GPU-1', machine: 'machine-b' });
    const error = await late.take().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(HostHeldError);
    expect((error as Error).message).toMatch(
      /serves the host "GPU-1" already, on the machine "machine-a": stop that one/,
    );
    await until(() => refused.length > 0, { what: 'the first worker is told' });
    expect(refused).toEqual(['machine-b']);
    expect(await holder()).toBe(first.bootId);
  });

  it('N42 goes at once to the same worker after its restart, also after a crash', async () => {
    const timings = { expiryMs: HOUR_MS, renewEveryMs: HOUR_MS };
    const before = worker();
    await lockOf(before, { timings }).take();
    const again = { workerId: before.workerId, bootId: randomUUID() };
    await lockOf(again, { timings }).take();
    expect(await holder()).toBe(again.bootId);
  });

  it('N42 goes at once to any worker after a stop in order', async () => {
    const timings = { expiryMs: HOUR_MS, renewEveryMs: HOUR_MS };
    const first = lockOf(worker(), { timings });
    await first.take();
    await first.stop();
    const next = worker();
    await lockOf(next, { timings }).take();
    expect(await holder()).toBe(next.bootId);
  });

  it('N42 goes to a worker with another home when the one that died does not renew it', async () => {
    await lockOf(worker(), { timings: { expiryMs: 600, renewEveryMs: HOUR_MS } }).take();
    const next = worker();
    await lockOf(next, { timings: { renewEveryMs: HOUR_MS } }).take();
    expect(await holder()).toBe(next.bootId);
  });

  it('N42 tells a worker that was frozen for too long that another one serves its host', async () => {
    const lost: string[] = [];
    await lockOf(worker(), { onLost: ({ message }) => lost.push(message) }).take();
    const taken = { workerId: randomUUID(), bootId: randomUUID(), machine: 'machine-b' };
    await redis.redis.hset(key(), taken);
    await until(() => lost.length > 0, { what: 'the first worker is told' });
    expect(lost[0]).toContain('on the machine "machine-b"');
    expect(await holder()).toBe(taken.bootId);
  });

  it('N42 I03 is written again after Redis lost it', async () => {
    const first = worker();
    await lockOf(first).take();
    await redis.redis.del(key());
    await until(async () => (await holder()) === first.bootId, { what: 'the lock is back' });
  });

  it('ends its wait with a stop', async () => {
    await lockOf(worker(), { timings: { expiryMs: HOUR_MS, renewEveryMs: HOUR_MS } }).take();
    const waiting = lockOf(worker());
    const end = waiting.take();
    await waiting.stop();
    await expect(end).rejects.toThrow(/abort/i);
  });
});
