import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { downloadQueue, eventStreamKey, jobKey, queueKey } from '#queue/keys';
import { hold } from '../helpers/origin/origin-fault.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { privateRedis, testRedis, type PrivateRedis, type TestRedis } from '../helpers/redis.ts';
import { sampleFile, sampleManifest, sha256OfFile, type SampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';
import { blobsOf } from './store-contents.ts';

const EAGER = { HAULIER_SILENT_AFTER: '2s', HAULIER_SWEEP_EVERY: '500ms' };

describe('a Redis that loses its data', () => {
  const files = ['flushed-1', 'flushed-2', 'silent', 'robbed', 'early', 'late'].map((name) =>
    sampleFile(`${name}.bin`, 16 * MIB, name),
  );
  const named = (name: string): SampleFile => files.find(({ path }) => path === `${name}.bin`)!;
  let server: PrivateRedis;
  let redis: TestRedis;
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    server = await privateRedis();
    redis = testRedis(server.url);
    origin = await startOrigin(hubOf(files), [], { bytesPerSecond: 10 * MIB });
    system = await startSystem({ origin, redisUrl: server.url, apiEnv: EAGER });
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
    await redis.cleanup();
    await server.end();
  });

  const sentOf = ({ path }: SampleFile): number =>
    origin.requests.filter((one) => one.path.includes(path)).reduce((sum, { bytesSent }) => sum + bytesSent, 0);
  /** No transfer ends before what it returns is called. */
  const holdBack = (): (() => void) => {
    const { fault, go } = hold(8 * MIB);
    origin.rules.push({ fault });
    return () => {
      origin.rules.pop();
      go();
    };
  };
  const untilMoves = (file: SampleFile) => until(() => sentOf(file) > 2 * MIB, { what: `${file.path} moves` });

  async function order(file: SampleFile): Promise<string> {
    const name = file.path.replace('.bin', '');
    await system.client.publishVersion(sampleManifest(name, [file]));
    return (await system.client.createDownloads({ model: name, host: 'host-a' })).downloads[0]!.id;
  }

  async function expectWhole(id: string, file: SampleFile) {
    const done = await system.awaitDownload(id, ({ status }) => status === 'success');
    expect(await sha256OfFile(done.path!)).toBe(file.sha256);
    return done;
  }

  it('I03 all of it in the middle of transfers: every download ends as success', async () => {
    const wanted = [named('flushed-1'), named('flushed-2')];
    const goOn = holdBack();
    const ids = await Promise.all(wanted.map(order));
    for (const file of wanted) await untilMoves(file);
    await redis.redis.flushall();
    goOn();
    for (const [index, file] of wanted.entries()) await expectWhole(ids[index]!, file);
    for (const file of wanted) expect(sentOf(file)).toBeLessThanOrEqual(2 * file.content.size);
    await until(async () => (await system.client.getStatus()).downloads.success === 2, { what: 'both are counted' });
  });

  it('I04 the last events: the silent row is found, and its file is not sent again', async () => {
    const file = named('silent');
    const goOn = holdBack();
    const id = await order(file);
    await untilMoves(file);
    await system.kill(system.api);
    goOn();
    const key = jobKey(downloadQueue(system.services.prefix, 'host-a'), `${id}.g1`);
    await until(() => redis.redis.hexists(key, 'finishedOn'), { what: 'the job is over' });
    expect(await blobsOf(system.homeOf('host-a'))).toContain(file.sha256);
    expect(await redis.redis.del(eventStreamKey(system.services.prefix))).toBe(1);

    await system.startApi();
    await system.awaitReady();
    // Only a job that asks again ends so: with the first job's events the outcome would be that of its source.
    expect((await expectWhole(id, file)).outcome).toBe('cache_hit');
    expect(sentOf(file)).toBe(file.content.size);
  });

  it('I11 a job while a worker has it: the file arrives and the row says so', async () => {
    const file = named('robbed');
    const goOn = holdBack();
    const id = await order(file);
    await untilMoves(file);
    const queue = queueKey(downloadQueue(system.services.prefix, 'host-a'));
    await redis.redis.del(`${queue}:${id}.g1`, `${queue}:${id}.g1:lock`);
    expect(await redis.redis.lrem(`${queue}:active`, 0, `${id}.g1`)).toBe(1);
    goOn();
    await expectWhole(id, file);
    expect(sentOf(file)).toBeLessThanOrEqual(2 * file.content.size);
  });
});

describe('a Redis that is down when the others start', () => {
  const [early, late] = ['early', 'late'].map((name) => sampleFile(`${name}.bin`, 2 * MIB, name)) as [
    SampleFile,
    SampleFile,
  ];
  let server: PrivateRedis;
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    server = await privateRedis();
    origin = await startOrigin(hubOf([early, late]));
    system = await startSystem({ origin, redisUrl: server.url });
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
    await server.end();
  });

  const order = async (file: SampleFile): Promise<string> => {
    const { path, sha256, content } = file;
    const sources = [{ kind: 'huggingface' as const, repo: 'acme/sample', revision: 'main' }];
    const files = [{ path, sha256, sizeBytes: content.size, sources }];
    return (await system.client.createDownloads({ files, host: 'host-a' })).downloads[0]!.id;
  };

  it('I01 J03 takes nothing away: what was asked for before a crash and during the boot is carried out', async () => {
    await server.halt();
    const first = await order(early);
    await system.kill(system.api);
    await system.workers[0]!.stop();

    await system.startApi();
    await system.startWorker('host-a');
    const readiness = await until(() => system.client.getReadiness(), { what: 'the API answers' });
    expect(readiness.status).toBe('not_ready');
    expect(readiness.missing.join()).toContain('redis');
    const second = await until(() => order(late), { what: 'a request is taken' });
    expect((await system.client.getDownload(second)).reason).toBe('not_queued_yet');
    await until(async () => (await system.logOf('worker-host-a')).includes('redis connection lost'), {
      what: 'the worker waits',
    });

    await server.resume();
    for (const [id, file] of [
      [first, early],
      [second, late],
    ] as const) {
      const done = await system.awaitDownload(id, ({ status }) => status === 'success');
      expect(await sha256OfFile(done.path!)).toBe(file.sha256);
    }
    await system.awaitReady();
  });

  it('I06 a Redis that may evict keys is refused, with the command to run', async () => {
    const redis = testRedis(server.url);
    await redis.redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const refused = await system.startWorker('host-b');
    expect(await refused.ended).toEqual({ code: 1, signal: null });
    const command = 'redis-cli CONFIG SET maxmemory-policy noeviction';
    expect(await system.logOf('worker-host-b')).toContain(command);
    expect((await system.client.getReadiness()).missing.join()).toContain(command);
    await redis.redis.config('SET', 'maxmemory-policy', 'noeviction');
    await redis.cleanup();
  });
});
