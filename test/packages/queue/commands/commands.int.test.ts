import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { HostLimits, WorkerCommand } from '#contracts/worker/worker-events';
import { silentLogger } from '#core/logger';
import { checkRedis } from '#queue/check-redis';
import { CommandListener, publishCommand, publishLimits } from '#queue/commands/commands';
import { readEpochs, writeEpoch } from '#queue/epoch';
import { commandKey, SHARDS } from '#queue/keys';
import { ShardStates } from '#queue/shard-states';
import { expectNoLeaks } from '../../../helpers/leaks.ts';
import { type TestRedis, privateRedis, testRedis } from '../../../helpers/redis.ts';
import { until } from '../../../helpers/until.ts';

expectNoLeaks();

describe('commands, epoch', () => {
  let test: TestRedis;

  beforeEach(() => {
    test = testRedis();
  });

  afterEach(() => test.cleanup());

  const pause = (): WorkerCommand => ({ version: 1, downloadId: randomUUID(), generation: 1, command: 'pause' });

  function listen(host: string | undefined, pool: boolean) {
    const heard: WorkerCommand[] = [];
    const limits: HostLimits[] = [];
    const { settings, redis } = test;
    const options = {
      settings,
      redis,
      host,
      pool,
      onCommand: (c: WorkerCommand) => heard.push(c),
      onLimits: (set: HostLimits) => limits.push(set),
      logger: silentLogger,
    };
    return { heard, limits, listener: new CommandListener(options) };
  }

  it('reaches the workers of its host, and no others', async () => {
    const here = listen('gpu-1', false);
    const there = listen('gpu-2', true);
    here.listener.start();
    there.listener.start();
    const wanted = pause();
    const common = pause();
    await until(
      async () => {
        await publishCommand(test.redis, test.settings.prefix, 'gpu-1', wanted);
        await publishCommand(test.redis, test.settings.prefix, null, common);
        return here.heard.length > 0 && there.heard.length > 0;
      },
      { what: 'both heard something' },
    );
    expect(new Set(here.heard.map((command) => command.downloadId))).toEqual(new Set([wanted.downloadId]));
    expect(new Set(there.heard.map((command) => command.downloadId))).toEqual(new Set([common.downloadId]));
    here.listener.stop();
    here.listener.stop();
    there.listener.stop();
  });

  it('passes a kept command to a worker that started after it was published', async () => {
    const command = pause();
    await publishCommand(test.redis, test.settings.prefix, 'gpu-1', command);
    const { heard, listener } = listen('gpu-1', false);
    await listener.recall([randomUUID(), command.downloadId]);
    expect(heard).toEqual([command]);
    listener.stop();
  });

  it('EX2 sends new limits to the worker of their host at once, and to no other worker', async () => {
    const here = listen('gpu-1', false);
    const there = listen('gpu-2', true);
    here.listener.start();
    there.listener.start();
    const change = { workerBytesPerSecond: 5e6, sources: { 'gateway.example:8080': 1e6 } };
    await until(
      async () => {
        await publishLimits(test.redis, test.settings.prefix, 'gpu-1', change);
        return here.limits.length > 0;
      },
      { what: 'the limits were heard' },
    );
    expect(here.limits[0]).toEqual(change);
    expect(there.limits).toEqual([]);
    here.listener.stop();
    there.listener.stop();
  });

  it('EX2 keeps the limits of a host for a worker that starts later, each until it is removed', async () => {
    const { redis, settings } = test;
    const { limits, listener } = listen('gpu-1', false);
    await publishLimits(redis, settings.prefix, 'gpu-1', { workerBytesPerSecond: 5e6, sources: { a: 1, b: 2 } });
    await listener.recall([]);
    await publishLimits(redis, settings.prefix, 'gpu-1', { sources: { a: null, c: 3 } });
    await listener.recallLimits();
    const left = await publishLimits(redis, settings.prefix, 'gpu-1', { workerBytesPerSecond: null });
    expect(limits).toEqual([
      { workerBytesPerSecond: 5e6, sources: { a: 1, b: 2 } },
      { workerBytesPerSecond: 5e6, sources: { b: 2, c: 3 } },
    ]);
    expect(left).toEqual({ sources: { b: 2, c: 3 } });
    listener.stop();
  });

  it('ignores a message that is not a command', async () => {
    const { heard, listener } = listen(undefined, true);
    const downloadId = randomUUID();
    await test.redis.set(commandKey(test.settings.prefix, null, downloadId), '{"command":"format-disk"}');
    await listener.recall([downloadId]);
    expect(heard).toEqual([]);
    listener.stop();
  });

  it('I03 remembers the epoch of each shard until Redis loses it', async () => {
    const read = () => readEpochs(test.redis, test.settings.prefix, new ShardStates(test.redis, silentLogger));
    expect(await read()).toEqual(new Map(SHARDS.map((shard) => [shard, null])));
    await writeEpoch(test.redis, test.settings.prefix, '3', 'one');
    expect(await read()).toEqual(new Map(SHARDS.map((shard) => [shard, shard === '3' ? 'one' : null])));
  });
});

describe('check of Redis', () => {
  it('I06 refuses a Redis that may evict keys and warns of one without an append-only file', async () => {
    const server = await privateRedis();
    const test = testRedis(server.url);
    try {
      const before = Date.now();
      const fit = await checkRedis(test.redis);
      expect(fit.warnings).toEqual([]);
      // Both clocks are the same one: the measurement can only be wrong by the time that it took itself.
      expect(Math.abs(fit.clockSkewMs)).toBeLessThanOrEqual(Date.now() - before + 1);
      await test.redis.config('SET', 'appendonly', 'no');
      expect((await checkRedis(test.redis)).warnings.join()).toMatch(/append-only file/);
      await test.redis.config('SET', 'maxmemory-policy', 'volatile-lru');
      await expect(checkRedis(test.redis)).rejects.toThrow(
        /"volatile-lru".*run "redis-cli CONFIG SET maxmemory-policy noeviction"/,
      );
    } finally {
      await test.cleanup();
      await server.end();
    }
  });
});
