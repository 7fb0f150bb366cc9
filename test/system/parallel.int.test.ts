import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { downloadQueue, jobKey } from '#queue/keys';
import { hold } from '../helpers/origin/origin-fault.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest, sha256OfFile, type SampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { testRedis } from '../helpers/redis.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';
import { blobsOf } from './store-contents.ts';

const isSuccess = ({ status }: { status: string }): boolean => status === 'success';

describe('many downloads at once', () => {
  const small = Array.from({ length: 30 }, (_, n) => sampleFile(`small-${n}.bin`, 1000 + n, `small ${n}`));
  const large = ['a', 'b', 'c'].map((name) => sampleFile(`large-${name}.bin`, 24 * MIB, `large ${name}`));
  const steady = sampleFile('steady.bin', 28 * MIB);
  const shared = sampleFile('shared.bin', 24 * MIB);
  const twin = sampleFile('twin.bin', 8 * MIB);
  const broken = sampleFile('broken.bin', 2000);
  const absent = sampleFile('absent.bin', 2000);
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    origin = await startOrigin(hubOf([...small, ...large, steady, shared, twin, broken]), [], {
      bytesPerSecond: 40 * MIB,
    });
    system = await startSystem({ origin });
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  const sentOf = ({ path }: SampleFile): number =>
    origin.requests.filter((one) => one.path.includes(path)).reduce((sum, { bytesSent }) => sum + bytesSent, 0);

  async function order(name: string, files: readonly SampleFile[], limitBytesPerSecond?: number, inPool = false) {
    await system.client.publishVersion(sampleManifest(name, files));
    const how = limitBytesPerSecond === undefined ? {} : { limitBytesPerSecond };
    const where = inPool ? {} : { host: 'host-a' };
    const { downloads } = await system.client.createDownloads({ model: name, ...where, ...how });
    return new Map(downloads.map(({ file, id }) => [file, id]));
  }

  it('EX1 thirty small and three large ones each keep a state of their own', async () => {
    origin.rules.push({ path: large[1]!.path, fault: hold(8 * MIB).fault });
    const ids = await order('crowd', [...large, ...small, absent]);
    const held = ids.get('large-b.bin')!;
    await until(() => sentOf(large[1]!) > 4 * MIB, { what: 'the second large file moves' });
    await system.client.pauseDownload(held);

    const failed = await system.awaitDownload(ids.get('absent.bin')!, ({ status }) => status === 'failed');
    for (const { path } of [large[0]!, large[2]!, ...small]) await system.awaitDownload(ids.get(path)!, isSuccess);
    const paused = await system.client.getDownload(held);
    expect(paused).toMatchObject({ status: 'paused', reason: 'requested' });
    expect(failed.outcome).toBe('all_layers_exhausted');

    origin.rules.pop();
    await system.client.resumeDownload(held);
    await system.awaitDownload(held, isSuccess);
    const files = [...large, ...small];
    expect(await blobsOf(system.homeOf('host-a'))).toEqual(files.map(({ sha256 }) => sha256).sort());
    const { downloads } = await system.client.getStatus();
    expect(downloads).toMatchObject({ success: 33, failed: 1, pending: 0, in_progress: 0, resuming: 0, paused: 0 });
  });

  it('EX2 a limit is kept within 5 % over 5 s', async () => {
    const limit = 4 * MIB;
    const id = (await order('limited', [steady], limit)).get(steady.path)!;
    const { startedAt, completedAt } = await system.awaitDownload(id, isSuccess);
    const seconds = (Date.parse(completedAt!) - Date.parse(startedAt!)) / 1000;
    const rate = steady.content.size / seconds;
    expect(seconds).toBeGreaterThan(5);
    expect(rate).toBeLessThanOrEqual(limit * 1.05);
    // A busy machine or disk may make it slower, but not by as much as bits taken for bytes.
    expect(rate).toBeGreaterThan(limit / 6);
  });

  it('H05 CH8 two workers of one machine and one home make one transfer of it', async () => {
    const second = await system.startWorker('', { HAULIER_HOME: system.homeOf('host-a') });
    await until(async () => (await system.logOf('worker-pool')).includes('worker takes jobs'), {
      what: 'the worker of the pool takes jobs',
    });
    const orders = ['one', 'two', 'three', 'four'].map((name, index) =>
      order(name, [twin], undefined, index % 2 === 1),
    );
    const ids = (await Promise.all(orders)).map((made) => made.get(twin.path)!);
    for (const id of ids) {
      const done = await system.awaitDownload(id, isSuccess);
      expect(await sha256OfFile(done.path!)).toBe(twin.sha256);
    }
    expect(sentOf(twin)).toBe(twin.content.size);
    await second.stop();
  });

  it('H06 two hosts that share one store bring a file to both, with waste at worst', async () => {
    const other = await system.startWorker('host-b', { HAULIER_HOME: system.homeOf('host-a') });
    await system.client.publishVersion(sampleManifest('shared', [shared]));
    const { downloads } = await system.client.createDownloads({ model: 'shared', hosts: ['host-a', 'host-b'] });
    for (const { id } of downloads) {
      const done = await system.awaitDownload(id, isSuccess);
      expect(await sha256OfFile(done.path!)).toBe(shared.sha256);
    }
    expect(sentOf(shared)).toBeLessThanOrEqual(2 * shared.content.size);
    await other.stop();
  });

  it('H15 a job that throws fails by name, and the others go on', async () => {
    await system.workers[0]!.stop();
    const ids = await order('mixed', [broken, ...small.slice(0, 3)]);
    const id = ids.get(broken.path)!;
    await system.awaitDownload(id, ({ reason }) => reason === 'queued');
    await spoilJob(system, `${id}.g1`);
    await system.startWorker('host-a');

    for (const { path } of small.slice(0, 3)) await system.awaitDownload(ids.get(path)!, isSuccess);
    const failed = await system.awaitDownload(id, ({ status }) => status === 'failed');
    expect(failed.error).toContain('the job is not one that this worker understands (file');
  });
});

/** Another program's idea of a job. */
async function spoilJob({ services }: System, jobId: string): Promise<void> {
  const redis = testRedis(services.redisUrl);
  const key = jobKey(downloadQueue(services.prefix, 'host-a'), jobId);
  const job = JSON.parse((await redis.redis.hget(key, 'data'))!) as object;
  await redis.redis.hset(key, 'data', JSON.stringify({ ...job, file: 'nothing' }));
  await redis.cleanup();
}
