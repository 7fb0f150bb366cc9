import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { downloadJob } from '#contracts/worker/download-job';
import { silentLogger } from '#core/logger';
import { DownloadQueues } from '#queue/jobs/download-queue';
import { downloadQueue, jobKey, queueKey } from '#queue/keys';
import { aJob } from '../../../helpers/jobs.ts';
import { expectNoLeaks } from '../../../helpers/leaks.ts';
import { type TestRedis, privateRedis, testRedis } from '../../../helpers/redis.ts';
import { until } from '../../../helpers/until.ts';
import { expectWithin } from '../../../helpers/within.ts';

expectNoLeaks();

describe('download queues', () => {
  let test: TestRedis;
  let queues: DownloadQueues;

  beforeEach(async () => {
    test = testRedis();
    queues = new DownloadQueues({ redis: test.settings, logger: silentLogger });
    await until(() => queues.redis.status === 'ready', { what: 'the connection is ready' });
  });

  afterEach(async () => {
    await queues.stop();
    await test.cleanup();
  });

  const queueOf = (host: string | null) => downloadQueue(test.settings.prefix, host);
  const waiting = (host: string | null): Promise<number> => test.redis.llen(`${queueKey(queueOf(host))}:wait`);

  it('adds the jobs of several hosts and of the pool in one call', async () => {
    const jobs = [
      { host: 'gpu-1', job: aJob() },
      { host: 'gpu-2', job: aJob() },
      { host: null, job: aJob() },
    ];
    const { added, refused } = await queues.addAll(jobs);
    expect(refused).toEqual([]);
    expect(added).toEqual(jobs.map(({ job }) => downloadJob.id(job)));
    expect(await Promise.all(['gpu-1', 'gpu-2', null].map(waiting))).toEqual([1, 1, 1]);
  });

  it('keeps the jobs of a host in the order of their priority, behind those that have none, and takes them out again', async () => {
    const [none, first, last] = [aJob(), aJob({ priority: 1 }), aJob({ priority: 1_000_000 })];
    await queues.addAll([last, first, none].map((job) => ({ host: 'gpu-1', job })));
    const queue = queues.openQueue('gpu-1');
    const ids = async (): Promise<(string | undefined)[]> =>
      [...(await queue.getWaiting()), ...(await queue.getPrioritized())].map(({ id }) => id);
    expect(await ids()).toEqual([none, first, last].map((job) => downloadJob.id(job)));
    expect(await queues.remove({ host: 'gpu-1', id: downloadJob.id(first) })).toBe('removed');
    expect(await ids()).toEqual([none, last].map((job) => downloadJob.id(job)));
  });

  it('I09 keeps a job whose id is known, with its first payload', async () => {
    const job = aJob();
    await queues.addAll([{ host: null, job }]);
    await queues.addAll([{ host: null, job: { ...job, attemptsUsed: 2 } }]);
    expect(await waiting(null)).toBe(1);
    const stored = await queues.openQueue(null).getJob(downloadJob.id(job));
    expect(stored?.data).toEqual(job);
  });

  it('queues a later generation of the same download beside the earlier one', async () => {
    const job = aJob();
    await queues.addAll([
      { host: null, job },
      { host: null, job: { ...job, generation: 2 } },
    ]);
    expect(await waiting(null)).toBe(2);
  });

  it('refuses a payload over the limit by name and adds the others', async () => {
    const url = `http://mirror.example/${'x'.repeat(900)}`;
    const sources = Array.from({ length: 20 }, () => ({ kind: 'mirror' as const, url }));
    const large = aJob({ file: { path: 'large.onnx', digests: {}, sources } });
    const small = aJob();
    const { added, refused } = await queues.addAll([
      { host: null, job: large },
      { host: null, job: small },
    ]);
    expect(added).toEqual([downloadJob.id(small)]);
    expect(refused).toHaveLength(1);
    expect(refused[0]?.id).toBe(downloadJob.id(large));
    expect(refused[0]?.reason).toMatch(/large\.onnx has \d+ bytes and at most 16384/);
  });

  it('gives a job the attempts that are left of its budget', async () => {
    const job = aJob({ attemptsUsed: 2 });
    await queues.addAll([{ host: null, job }]);
    const stored = await queues.openQueue(null).getJob(downloadJob.id(job));
    expect(stored?.opts.attempts).toBe(1);
  });

  it('keeps the event stream of a host queue short from its first job on', async () => {
    await queues.addAll([{ host: 'gpu-1', job: aJob() }]);
    expect(await test.redis.hget(`${queueKey(queueOf('gpu-1'))}:meta`, 'opts.maxLenEvents')).toBe('100');
  });

  it('tells absent, open and finished jobs apart in one look', async () => {
    const open = aJob();
    const finished = aJob();
    await queues.addAll([
      { host: 'gpu-1', job: open },
      { host: null, job: finished },
    ]);
    await test.redis.hset(jobKey(queueOf(null), downloadJob.id(finished)), 'finishedOn', '1', 'failedReason', 'no');
    const states = await queues.inspect([
      { host: 'gpu-1', id: downloadJob.id(open) },
      { host: null, id: downloadJob.id(finished) },
      { host: null, id: downloadJob.id(aJob()) },
    ]);
    expect(states).toEqual([{ state: 'open' }, { state: 'finished', failedReason: 'no' }, { state: 'absent' }]);
  });

  it('removes a waiting job and keeps one that a worker holds', async () => {
    const free = aJob();
    const held = aJob();
    await queues.addAll([
      { host: null, job: free },
      { host: null, job: held },
    ]);
    await test.redis.set(`${jobKey(queueOf(null), downloadJob.id(held))}:lock`, 'somebody');
    expect(await queues.remove({ host: null, id: downloadJob.id(free) })).toBe('removed');
    expect(await queues.remove({ host: null, id: downloadJob.id(held) })).toBe('active');
    expect(await waiting(null)).toBe(1);
  });

  it('closes the least recently used queue and names it', async () => {
    const closing: string[] = [];
    const few = new DownloadQueues({
      redis: test.settings,
      logger: silentLogger,
      maxOpenQueues: 2,
      onQueueClosing: (queue) => closing.push(queue.name),
    });
    for (const host of ['a', 'b', 'a', 'c']) few.openQueue(host);
    expect(closing).toEqual(['downloads.b']);
    await few.stop();
  });

  it('is safe to stop twice', async () => {
    await queues.stop();
    await queues.stop();
  });
});

describe('download queues without their Redis', () => {
  it('I01 fails at once instead of hanging, and works when Redis is back', async () => {
    const server = await privateRedis();
    const test = testRedis(server.url);
    await server.halt();
    const queues = new DownloadQueues({ redis: test.settings, logger: silentLogger });
    try {
      await expectWithin(3_000, async () => {
        await expect(queues.addAll([{ host: 'gpu-1', job: aJob() }])).rejects.toThrow();
        await expect(queues.inspect([{ host: null, id: 'x' }])).rejects.toThrow();
        await expect(queues.remove({ host: null, id: 'x' })).rejects.toThrow();
      });
      await server.resume();
      const { added } = await until(() => queues.addAll([{ host: 'gpu-1', job: aJob() }]).catch(() => undefined), {
        what: 'a job is added again',
      });
      expect(added).toHaveLength(1);
      expect(await queues.remove({ host: 'gpu-1', id: added[0]! })).toBe('removed');
    } finally {
      await queues.stop();
      await test.cleanup();
      await server.end();
    }
  });

  it('rejects when Redis is out of memory, although BullMQ reports the jobs as added', async () => {
    const server = await privateRedis();
    const test = testRedis(server.url);
    const queues = new DownloadQueues({ redis: test.settings, logger: silentLogger });
    try {
      await until(() => queues.redis.status === 'ready', { what: 'the connection is ready' });
      await queues.addAll([{ host: null, job: aJob() }]);
      await test.redis.config('SET', 'maxmemory', '1');
      await expect(queues.addAll([{ host: null, job: aJob() }])).rejects.toThrow(/OOM|EXECABORT/);
      await test.redis.config('SET', 'maxmemory', '0');
      expect((await queues.addAll([{ host: null, job: aJob() }])).added).toHaveLength(1);
    } finally {
      await queues.stop();
      await test.cleanup();
      await server.end();
    }
  });
});
