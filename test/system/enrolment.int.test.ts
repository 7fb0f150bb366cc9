import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { connectPatiently, disconnect, type RedisClient } from '#queue/connection';
import { hold } from '../helpers/origin/origin-fault.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { privateRedis, type PrivateRedis } from '../helpers/redis.ts';
import { sampleFile, sampleManifest } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';

/** What the file of an enrolled host holds. */
interface Kept {
  readonly host: string;
  readonly hostId: string;
  readonly redis: { readonly url: string; readonly user: string; readonly password: string; readonly prefix: string };
}

describe('an enrolled host', () => {
  const files = [sampleFile('model.bin', 3_000_000), sampleFile('config.json', 3000)];
  const late = [sampleFile('later.bin', 200_000)];
  const slow = [sampleFile('slow.bin', 4_000_000)];
  let server: PrivateRedis;
  let origin: Origin;
  let system: System;
  let admin: RedisClient;

  beforeAll(async () => {
    server = await privateRedis();
    origin = await startOrigin(hubOf([...files, ...late, ...slow]));
    system = await startSystem({ enrol: true, hosts: ['GPU-1', 'gpu-2'], origin, redisUrl: server.url });
    admin = connectPatiently({ url: server.url, prefix: '' }, 'test', silentLogger);
    await system.awaitHosts(2);
  });

  afterAll(async () => {
    disconnect(admin);
    await system.stop();
    await origin.close();
    await server.end();
  });

  const keptBy = async (host: string): Promise<Kept> =>
    JSON.parse(await readFile(join(system.homeOf(host), 'worker', 'enrolment.json'), 'utf8')) as Kept;

  const asHost = async (host: string): Promise<RedisClient> => {
    const { redis } = await keptBy(host);
    const url = new URL(redis.url);
    url.username = encodeURIComponent(redis.user);
    url.password = encodeURIComponent(redis.password);
    return connectPatiently({ url: url.href, prefix: '' }, 'test', silentLogger);
  };

  /** What Redis refused the users of hosts so far. */
  const refusals = async (): Promise<string[]> => {
    const log = (await admin.call('ACL', 'LOG')) as unknown[][];
    return log.map((entry) => entry.map(String).join(' ')).filter((entry) => entry.includes(':worker:'));
  };

  const isSuccess = ({ status }: { status: string }): boolean => status === 'success';

  async function bring(name: string, host: string, some = files): Promise<string[]> {
    await system.client.publishVersion(sampleManifest(name, some));
    const { downloads } = await system.client.createDownloads({ model: name, host });
    for (const { id } of downloads) await system.awaitDownload(id, isSuccess);
    return downloads.map(({ id }) => id);
  }

  it('N43 is enrolled by the stack itself, with a key that stays on the host', async () => {
    const kept = await keptBy('GPU-1');
    expect(kept).toMatchObject({ version: 1, host: 'GPU-1', redis: { user: expect.stringContaining('gpu-1') } });
    expect(kept.redis.url).not.toContain('@');
    const path = join(system.homeOf('GPU-1'), 'worker', 'enrolment.json');
    expect((await stat(path)).mode & 0o077).toBe(0);
    const hosts = await system.client.listHosts();
    expect(hosts.map(({ name, enrolment }) => [name, enrolment])).toEqual([
      ['GPU-1', 'enrolled'],
      ['gpu-2', 'enrolled'],
    ]);
  });

  it('N43 does all the work of a worker under a user that sees only what is its own', async () => {
    await admin.call('ACL', 'LOG', 'RESET');
    await bring('sample', 'gpu-1');
    await system.client.limitHost('gpu-1', { workerBytesPerSecond: 100_000 });
    await system.client.publishVersion(sampleManifest('steered', slow));
    origin.rules.push({ path: slow[0]!.path, fault: hold(2_000_000).fault });
    const { downloads } = await system.client.createDownloads({ model: 'steered', host: 'gpu-1' });
    const { id } = downloads[0]!;
    await system.awaitDownload(id, ({ status, bytes }) => status === 'in_progress' && bytes > 0);
    await system.client.pauseDownload(id);
    await system.awaitDownload(id, ({ status }) => status === 'paused');
    origin.rules.pop();
    await system.client.limitHost('gpu-1', { workerBytesPerSecond: null });
    await system.client.resumeDownload(id);
    for (const one of downloads) await system.awaitDownload(one.id, isSuccess);
    const absent = { path: 'absent.bin', sizeBytes: 10, sha256: 'a'.repeat(64) };
    const failing = await system.client.createDownloads({ files: [absent], host: 'gpu-1', name: 'absent' });
    await system.awaitDownload(failing.downloads[0]!.id, ({ status }) => status === 'failed');
    await system.client.verifyHost('gpu-1');
    await until(async () => (await system.logOf('worker-GPU-1')).includes('store verified on request'), {
      ...{ what: 'the order is carried out' },
    });
    await system.workers[0]!.stop();
    await system.startWorker('GPU-1', { REDIS_URL: '' });
    await bring('again', 'gpu-1');
    expect(await refusals()).toEqual([]);
    expect(await system.client.listRefusedEvents()).toEqual([]);
  });

  it('N43 is refused keys of others, and every command on all keys or on the server', async () => {
    const { prefix } = system.services;
    const host = await asHost('GPU-1');
    const denied: readonly (readonly [string, ...string[]])[] = [
      ['get', `${prefix}:epoch`],
      ['hgetall', `${prefix}:downloads.gpu-2:meta`],
      ['lrange', `${prefix}:downloads.gpu-2:active`, '0', '-1'],
      ['hgetall', `${prefix}:downloads:meta`],
      ['hgetall', `${prefix}:maintenance:meta`],
      ['hgetall', `${prefix}:orders:gpu-2`],
      ['hgetall', `${prefix}:worker:gpu-2`],
      ['set', `${prefix}:limits:gpu-1`, 'x'],
      ['hset', `${prefix}:version-answers`, 'sample', '1'],
      ['xread', 'COUNT', '1', 'STREAMS', `${prefix}:events`, '0'],
      ['xrange', `${prefix}:events`, '-', '+'],
      ['del', `${prefix}:events`],
      ['xtrim', `${prefix}:events`, 'MAXLEN', '0'],
      ['xadd', `${prefix}:events-dead`, '*', 'a', 'b'],
      ['eval', `return redis.call('HGETALL', '${prefix}:downloads.gpu-2:meta')`, '0'],
      ['eval', "return redis.call('KEYS', '*')", '0'],
      ['keys', '*'],
      ['scan', '0'],
      ['flushall'],
      ['flushdb'],
      ['config', 'GET', '*'],
      ['config', 'SET', 'maxmemory', '1'],
      ['client', 'LIST'],
      ['client', 'KILL', 'TYPE', 'normal'],
      ['monitor'],
      ['acl', 'LIST'],
      ['acl', 'WHOAMI'],
      ['publish', `${prefix}:commands:gpu-2`, '{}'],
      ['subscribe', `${prefix}:commands:gpu-2`],
      ['shutdown'],
      ['script', 'FLUSH'],
      ['swapdb', '0', '1'],
      ['dbsize'],
      ['replicaof', 'no', 'one'],
    ];
    try {
      for (const [name, ...args] of denied)
        await expect(host.call(name, ...args).then(() => `${name} ${args.join(' ')} was allowed`)).rejects.toThrow(
          /NOPERM|can't access|can't run/,
        );
      expect(await host.call('ping')).toBe('PONG');
    } finally {
      disconnect(host);
    }
  });

  it('N44 works on after Redis started again and forgot its users', async () => {
    await server.halt();
    await server.resume();
    await bring('after-redis', 'gpu-2', late);
    expect((await system.client.getHost('gpu-2')).enrolment).toBe('enrolled');
  });

  it('N45 is cut off at once when it is revoked, and may enrol again', async () => {
    const before = await keptBy('gpu-2');
    await system.client.revokeHost('GPU-2');
    expect((await system.client.getHost('gpu-2')).enrolment).toBe('revoked');
    const cut = await asHost('gpu-2');
    await expect(cut.call('ping')).rejects.toThrow(/WRONGPASS|NOAUTH/);
    disconnect(cut);
    await system.workers[1]!.stop();

    const { token } = await system.client.createEnrolmentToken({ host: 'gpu-2' });
    const env = { REDIS_URL: '', HAULIER_URL: system.apiUrl, HAULIER_ENROLMENT_TOKEN: token };
    await system.startWorker('gpu-2', env);
    await bring('enrolled-again', 'gpu-2', late);
    const after = await keptBy('gpu-2');
    expect(after.hostId).not.toBe(before.hostId);
    expect((await system.client.getHost('gpu-2')).enrolment).toBe('enrolled');
  });
});
