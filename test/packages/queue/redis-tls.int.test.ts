import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { runCommand } from '#embedded/command';
import { freePort } from '#os/port';
import { connectImpatiently, disconnect } from '#queue/connection';
import { pingRedis } from '#queue/ping';
import { openStore } from '#store/open-store';
import {
  PASSWORD,
  startRedisServer,
  tlsLines,
  whyNoTls,
  withConnection,
  type RedisServer,
} from '../../helpers/redis-server.ts';
import { until } from '../../helpers/until.ts';

const WORKER = fileURLToPath(new URL('../../../dist/apps/worker/main.js', import.meta.url));
const whyNot = await whyNoTls();
const test = whyNot === undefined ? it : it.skip;

describe(`a Redis that speaks TLS${whyNot === undefined ? '' : `: skipped, ${whyNot}`}`, () => {
  let folder: string;
  let server: RedisServer;
  let tlsPort: number;
  let caFile: string;

  beforeAll(async () => {
    if (whyNot !== undefined) return;
    folder = await mkdtemp(join(tmpdir(), 'haulier-tls-'));
    await openStore({ home: join(folder, 'home') });
    tlsPort = await freePort();
    const { lines, caFile: file } = await tlsLines(folder, tlsPort);
    caFile = file;
    server = await startRedisServer(join(folder, 'redis'), ['save ""', ...lines]);
  });
  afterAll(async () => {
    await server?.process.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  /** What the worker's check says, in a process that trusts the file: Node reads it when it starts. */
  const check = (caFileOrNone: string | undefined, url: string): Promise<string> =>
    runCommand(process.execPath, [WORKER, '--check'], {
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: folder,
        HAULIER_HOME: join(folder, 'home'),
        REDIS_URL: url,
        ...(caFileOrNone === undefined ? {} : { NODE_EXTRA_CA_CERTS: caFileOrNone }),
      },
    });
  const tlsUrl = (host = '127.0.0.1'): string => `rediss://:${PASSWORD}@${host}:${tlsPort}`;

  test('K34 is reached where NODE_EXTRA_CA_CERTS names its authority, by address and by name', async () => {
    expect(await check(caFile, tlsUrl())).toContain('Redis answers');
    expect(await check(caFile, tlsUrl('localhost'))).toContain('Redis answers');
  });

  test.each([
    ['an authority that is not known', () => tlsUrl(), 'set NODE_EXTRA_CA_CERTS to the file of the authority'],
    ['no TLS at a port with it', () => tlsUrl().replace('rediss:', 'redis:'), 'write rediss:// into REDIS_URL'],
  ])('K34 says what to change, in the log and in the check: %s', async (_what, url, advice) => {
    const settings = { url: url(), prefix: '{tls}' };
    const logged: string[] = [];
    const note = (_fields: object, event: string): void => void logged.push(event);
    const redis = connectImpatiently(settings, 'test', { ...silentLogger, error: note, warn: note });
    try {
      await until(() => logged.some((event) => event.includes(advice)), { what: `${advice} is logged` });
      await expect(pingRedis(settings, 3_000)).rejects.toThrow(advice);
      expect(logged.filter((event) => event.includes(advice))).toHaveLength(1);
    } finally {
      disconnect(redis);
    }
  });

  test('K34 says what to change: TLS at a port without it', async () => {
    const settings = { url: `rediss://:${PASSWORD}@127.0.0.1:${server.port}`, prefix: '{tls}' };
    await expect(pingRedis(settings, 500)).rejects.toThrow('write redis:// into REDIS_URL');
  });

  test('K34 says what to change: it wants a certificate of its clients', async () => {
    const demand = (value: string) =>
      withConnection(server.port, (redis) => redis.config('SET', 'tls-auth-clients', value));
    await demand('yes');
    await expect(check(caFile, tlsUrl())).rejects.toThrow('set "tls-auth-clients no"');
    await demand('no');
  });
});
