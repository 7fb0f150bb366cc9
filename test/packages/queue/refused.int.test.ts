import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { startRedis } from '#embedded/redis';
import type { RunningServer } from '#embedded/running-server';
import { checkRedis } from '#queue/check-redis';
import { connectImpatiently, disconnect } from '#queue/connection';
import { pingRedis } from '#queue/ping';
import { testCacheDir } from '../../helpers/services.ts';
import { until } from '../../helpers/until.ts';

let folder: string;
let withPassword: RunningServer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'haulier-refused-'));
  const options = { cacheDir: testCacheDir(), logger: silentLogger };
  withPassword = await startRedis({ ...options, dataDir: join(folder, 'a'), password: 'hunter2' });
});
afterAll(async () => {
  await withPassword.stop();
  await rm(folder, { recursive: true, force: true });
});

it.each([
  ['no password', () => `redis://127.0.0.1:${withPassword.port}`, 'Redis wants a password: write it into REDIS_URL'],
  ['a wrong password', () => `redis://:wrong@127.0.0.1:${withPassword.port}`, 'refuses the user name or the password'],
])(
  'K34 a Redis that refuses %s says what to change, in the log, in readiness and in the check',
  async (_what, url, advice) => {
    const settings = { url: url(), prefix: '{refused}' };
    const logged: string[] = [];
    const note = (_fields: object, event: string): void => void logged.push(event);
    const redis = connectImpatiently(settings, 'test', { ...silentLogger, error: note, warn: note });
    try {
      await until(() => logged.some((event) => event.includes(advice)), { what: `${advice} is logged` });
      await expect(checkRedis(redis)).rejects.toThrow(advice);
      await expect(pingRedis(settings, 3_000)).rejects.toThrow(advice);
      expect(logged.join()).not.toContain('hunter2');
      expect(logged.filter((event) => event.includes(advice))).toHaveLength(1);
    } finally {
      disconnect(redis);
    }
  },
);
