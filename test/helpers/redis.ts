import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '#core/logger';
import { startRedis } from '#embedded/redis';
import type { RunningServer } from '#embedded/running-server';
import { type RedisClient, type RedisSettings, connectPatiently, disconnect } from '#queue/connection';
import { testCacheDir, testRedisUrl } from './services.ts';

export interface TestRedis {
  readonly settings: RedisSettings;
  /** A connection of the test's own. */
  readonly redis: RedisClient;
  /** Removes every key of the prefix and ends the connection. */
  cleanup(): Promise<void>;
}

/** The shared Redis under a prefix of the test's own. */
export function testRedis(url = testRedisUrl()): TestRedis {
  const id = `test-${randomBytes(6).toString('hex')}`;
  const settings = { url, prefix: `{${id}}` };
  const redis = connectPatiently(settings, 'test', silentLogger);
  return {
    settings,
    redis,
    async cleanup() {
      const keys = await redis.keys(`{${id}*`);
      if (keys.length > 0) await redis.del(...keys);
      disconnect(redis);
    },
  };
}

export interface PrivateRedis {
  readonly url: string;
  /** Stops the server; what it holds stays on its disk. */
  halt(): Promise<void>;
  /** Starts it again on the same port with the same data. */
  resume(): Promise<void>;
  /** Stops it and removes its data. */
  end(): Promise<void>;
}

/** A Redis of the test's own, for tests that take it away. */
export async function privateRedis(): Promise<PrivateRedis> {
  const dataDir = await mkdtemp(join(tmpdir(), 'haulier-redis-'));
  const start = (port?: number): Promise<RunningServer> =>
    startRedis({ dataDir, cacheDir: testCacheDir(), port, logger: silentLogger });
  let server = await start();
  return {
    url: server.url,
    halt: () => server.stop(),
    async resume() {
      server = await start(server.port);
    },
    async end() {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
