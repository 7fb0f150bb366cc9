import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type DownloadJob, downloadJob, queueOf } from '#contracts/download-job';
import { silentLogger } from '#core/logger';
import { disconnect, connectPatiently } from '#queue/connection';
import type { AttemptContext, HandlerResult } from '#queue/download-handler';
import { DownloadQueues } from '#queue/download-queue';
import { type ConsumerOptions, JobConsumer } from '#queue/job-consumer';
import { aJob } from '../../helpers/jobs.ts';
import { expectNoLeaks } from '../../helpers/leaks.ts';
import { type TestRedis, privateRedis, testRedis } from '../../helpers/redis.ts';
import { until } from '../../helpers/until.ts';

expectNoLeaks();

const DONE: HandlerResult = { do: 'done' };

/** Resolves when the attempt is told to stop. */
const stopped = ({ signal }: AttemptContext): Promise<unknown> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    signal.addEventListener('abort', () => resolve(signal.reason), { once: true });
  });

describe('job consumer', () => {
  let test: TestRedis;
  let queues: DownloadQueues;
  let consumers: JobConsumer[];
  let failures: { jobId: string; message: string }[];

  beforeEach(async () => {
    test = testRedis();
    queues = new DownloadQueues({ redis: test.settings, logger: silentLogger });
    consumers = [];
    failures = [];
    await until(() => queues.redis.status === 'ready', { what: 'the connection is ready' });
  });

  afterEach(async () => {
    await Promise.all(consumers.map((consumer) => consumer.stop()));
    await queues.stop();
    await test.cleanup();
  });

  async function consume(parts: Pick<ConsumerOptions, 'handler'> & Partial<ConsumerOptions>): Promise<JobConsumer> {
    const consumer = new JobConsumer({
      redis: test.redis,
      prefix: test.settings.prefix,
      identity: { workerId: randomUUID(), bootId: randomUUID() },
      host: undefined,
      pool: true,
      concurrency: 2,
      onUnhandledFailure: (jobId, error) => failures.push({ jobId, message: error.message }),
      logger: silentLogger,
      ...parts,
    });
    consumers.push(consumer);
    await consumer.start();
    return consumer;
  }

  async function add(host: string | null = null, job = aJob()): Promise<DownloadJob> {
    await queues.addAll([{ host, job }]);
    return job;
  }

  const found = async (job: DownloadJob, host: string | null = null) => {
    const stored = await queues.openQueue(host).getJob(downloadJob.id(job));
    if (stored === undefined) throw new Error('the job is gone');
    return stored;
  };

  const untilState = (job: DownloadJob, state: string, host: string | null = null, timeoutMs = 10_000) =>
    until(async () => (await (await found(job, host)).getState()) === state, {
      what: `the job is ${state}`,
      timeoutMs,
    });

  it('hands a job of the pool to the handler and finishes it', async () => {
    const seen: [DownloadJob, number, boolean][] = [];
    await consume({ handler: async (job, { attempt, lastAttempt }) => (seen.push([job, attempt, lastAttempt]), DONE) });
    const job = await add();
    await untilState(job, 'completed');
    expect(seen).toEqual([[job, 1, false]]);
  });

  it('takes jobs of its own host and of the pool, and none of another host', async () => {
    const seen: string[] = [];
    await consume({ host: 'gpu-1', handler: async (job) => (seen.push(job.downloadId), DONE) });
    const own = await add('gpu-1');
    const shared = await add(null);
    const foreign = await add('gpu-2');
    await untilState(own, 'completed', 'gpu-1');
    await untilState(shared, 'completed');
    expect(new Set(seen)).toEqual(new Set([own.downloadId, shared.downloadId]));
    expect(await (await found(foreign, 'gpu-2')).getState()).toBe('waiting');
  });

  it('H02 puts a running job back on stop within two seconds, burns no attempt, and the next worker runs it', async () => {
    const consumer = await consume({
      handler: async (_job, context) => {
        expect(await stopped(context)).toBe('shutdown');
        return { do: 'put-back', reason: 'shutdown' };
      },
    });
    const job = await add();
    await until(() => consumer.running === 1, { what: 'the job runs' });
    const before = Date.now();
    await consumer.stop();
    expect(Date.now() - before).toBeLessThan(2_000);
    const stored = await found(job);
    expect([await stored.getState(), stored.attemptsMade]).toEqual(['waiting', 0]);
    const attempts: number[] = [];
    await consume({ handler: async (_job, { attempt }) => (attempts.push(attempt), DONE) });
    await untilState(job, 'completed');
    expect(attempts).toEqual([1]);
  });

  it('ends by the deadline although a handler ignores its signal', async () => {
    let release = (): void => undefined;
    const consumer = await consume({
      timings: { stopDeadlineMs: 300 },
      handler: () => new Promise((resolve) => (release = () => resolve(DONE))),
    });
    await add();
    await until(() => consumer.running === 1, { what: 'the job runs' });
    const before = Date.now();
    await consumer.stop();
    expect(Date.now() - before).toBeLessThan(1_000);
    release();
    await until(() => consumer.running === 0, { what: 'the handler ended' });
  });

  it('delays three times without burning an attempt, even with a single attempt left', async () => {
    const attempts: [number, boolean][] = [];
    await consume({
      handler: async (_job, { attempt, lastAttempt }) => {
        attempts.push([attempt, lastAttempt]);
        return attempts.length <= 3 ? { do: 'delay', untilMs: Date.now() + 20 } : DONE;
      },
    });
    const job = await add(null, aJob({ attemptsUsed: 2 }));
    await untilState(job, 'completed');
    expect(attempts).toEqual([
      [3, true],
      [3, true],
      [3, true],
      [3, true],
    ]);
    expect((await found(job)).attemptsStarted).toBe(4);
  });

  it('RE3 retries twice and then fails the job, three attempts in all', async () => {
    const attempts: [number, boolean][] = [];
    await consume({
      handler: async (_job, { attempt, lastAttempt }) => {
        attempts.push([attempt, lastAttempt]);
        return { do: 'retry', error: new Error('every gateway timed out'), afterMs: 10 };
      },
    });
    const job = await add();
    await untilState(job, 'failed');
    expect(attempts).toEqual([
      [1, false],
      [2, false],
      [3, true],
    ]);
    expect((await found(job)).failedReason).toBe('every gateway timed out');
    expect(failures).toEqual([]);
  });

  it('RE5 waits for the usual backoff where the handler names none', async () => {
    await consume({ handler: async () => ({ do: 'retry', error: new Error('later') }) });
    const job = await add();
    await untilState(job, 'delayed');
    const { delay } = await found(job);
    expect(delay).toBeGreaterThanOrEqual(500);
    expect(delay).toBeLessThanOrEqual(1_000);
  });

  it('fails at once for a reason that cannot pass', async () => {
    await consume({ handler: async () => ({ do: 'fail', error: new Error('wrong digest') }) });
    const job = await add();
    await untilState(job, 'failed');
    const stored = await found(job);
    expect([stored.failedReason, stored.attemptsMade]).toEqual(['wrong digest', 1]);
    expect(failures).toEqual([]);
  });

  it('H15 survives a handler that throws, and tells of the failure once its attempts are used up', async () => {
    await consume({
      handler: async (job) => {
        if (job.attemptsUsed === 2) throw new Error('a bug');
        return DONE;
      },
    });
    const bad = await add(null, aJob({ attemptsUsed: 2 }));
    const good = await add();
    await untilState(bad, 'failed');
    await untilState(good, 'completed');
    expect(failures).toEqual([{ jobId: downloadJob.id(bad), message: 'a bug' }]);
  });

  it('I20 fails a job of an unknown name with a clear message', async () => {
    await consume({ handler: async () => DONE });
    await queues.openQueue(null).add('unpack-file', aJob(), { jobId: 'strange' });
    await until(() => failures.length > 0, { what: 'the failure is told' });
    expect(failures[0]?.jobId).toBe('strange');
    expect(failures[0]?.message).toContain('knows no job "unpack-file", only "download-file"');
  });

  it('fails a job whose payload is not of this version, naming the field', async () => {
    await consume({ handler: async () => DONE });
    await queues.openQueue(null).add('download-file', { ...aJob(), version: 2 }, { jobId: 'newer', attempts: 3 });
    await until(() => failures.length > 0, { what: 'the failure is told' });
    expect(failures[0]?.message).toMatch(/version: .*update the worker or the API/);
    const stored = await queues.openQueue(null).getJob('newer');
    expect(stored?.attemptsMade).toBe(1);
  });

  it('stops the handler of a job whose lock was lost, and leaves the job to its new owner', async () => {
    const reasons: unknown[] = [];
    const consumer = await consume({
      timings: { lockDurationMs: 400, stalledIntervalMs: 60_000 },
      handler: async (_job, context) => {
        reasons.push(await stopped(context));
        return { do: 'put-back', reason: 'lock lost' };
      },
    });
    const job = await add();
    await until(() => consumer.running === 1, { what: 'the job runs' });
    await test.redis.set(`${test.settings.prefix}:downloads:${downloadJob.id(job)}:lock`, 'another worker');
    await until(() => reasons.length === 1 && consumer.running === 0, { what: 'the handler ended' });
    expect(reasons).toEqual(['lock-lost']);
    expect(await (await found(job)).getState()).toBe('active');
  });

  it('changes how many jobs run at once while they run', async () => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const consumer = await consume({ concurrency: 1, handler: () => released.then(() => DONE) });
    const jobs = [await add(), await add(), await add()];
    await until(() => consumer.running === 1, { what: 'one job runs' });
    consumer.changeConcurrency(3);
    release();
    for (const job of jobs) await untilState(job, 'completed');
  });

  it('H01 H04 runs a job again within three seconds after its worker was killed, without burning an attempt', async () => {
    const identity = { workerId: randomUUID(), bootId: randomUUID() };
    const child = spawn(
      process.execPath,
      ['test/packages/queue/holding-worker.mjs', test.settings.url, test.settings.prefix, JSON.stringify(identity)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const job = await add('gpu-1');
    await new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    expect(await (await found(job, 'gpu-1')).getState()).toBe('active');
    const attempts: number[] = [];
    const before = Date.now();
    await consume({
      host: 'gpu-1',
      identity: { ...identity, bootId: randomUUID() },
      handler: async (_job, { attempt }) => (attempts.push(attempt), DONE),
    });
    await untilState(job, 'completed', 'gpu-1', 3_000);
    expect(Date.now() - before).toBeLessThan(3_000);
    expect(attempts).toEqual([1]);
  }, 20_000);

  it('leaves the active jobs of a live worker alone', async () => {
    const running = await consume({
      concurrency: 1,
      handler: async (_job, context) => (await stopped(context), { do: 'put-back', reason: 'shutdown' }),
    });
    const job = await add();
    await until(() => running.running === 1, { what: 'the job runs' });
    const seen: string[] = [];
    await consume({ handler: async ({ downloadId }) => (seen.push(downloadId), DONE) });
    const other = await add();
    await untilState(other, 'completed');
    expect(seen).not.toContain(job.downloadId);
    expect(await (await found(job)).getState()).toBe('active');
  });

  it('fails a job that was started too often, whoever crashed, and says so', async () => {
    const job = await add();
    await test.redis.hset(`${test.settings.prefix}:${queueOf(null)}:${downloadJob.id(job)}`, 'ats', '30');
    await consume({ handler: async () => DONE });
    await untilState(job, 'failed');
    expect(failures[0]?.message).toContain('started more than allowable limit');
  });

  it('keeps finished jobs of a host in small number', async () => {
    await consume({ host: 'gpu-1', handler: async () => DONE });
    for (let count = 0; count < 6; count++) await untilGoneOrCompleted(await add('gpu-1'));
    expect(await queues.openQueue('gpu-1').getCompletedCount()).toBe(3);
  });

  const untilGoneOrCompleted = (job: DownloadJob) =>
    until(async () => (await queues.inspect([{ host: 'gpu-1', id: downloadJob.id(job) }]))[0]?.state === 'finished', {
      what: 'the job is finished',
    });

  it('is safe to stop twice and before start, and refuses to serve nobody', async () => {
    const options = { redis: test.redis, prefix: test.settings.prefix, concurrency: 1, logger: silentLogger };
    const rest = {
      identity: { workerId: 'w', bootId: 'b' },
      onUnhandledFailure: () => undefined,
      handler: async () => DONE,
    };
    const consumer = new JobConsumer({ ...options, ...rest, host: undefined, pool: true });
    await consumer.stop();
    await consumer.stop();
    await consumer.start();
    expect(() => new JobConsumer({ ...options, ...rest, host: undefined, pool: false })).toThrow(/must serve the pool/);
  });
});

describe('job consumer while Redis is away', () => {
  it('I02 finishes a job that ran through an outage, and stops within the deadline during one', async () => {
    const server = await privateRedis();
    const test = testRedis(server.url);
    const redis = connectPatiently(test.settings, 'worker', silentLogger);
    const queues = new DownloadQueues({ redis: test.settings, logger: silentLogger });
    let release = (): void => undefined;
    const consumer = new JobConsumer({
      redis,
      prefix: test.settings.prefix,
      identity: { workerId: randomUUID(), bootId: randomUUID() },
      host: 'gpu-1',
      pool: false,
      concurrency: 1,
      handler: () => new Promise((resolve) => (release = () => resolve(DONE))),
      onUnhandledFailure: () => undefined,
      logger: silentLogger,
    });
    try {
      await consumer.start();
      const job = aJob();
      await until(() => queues.addAll([{ host: 'gpu-1', job }]).catch(() => undefined), { what: 'the job is added' });
      await until(() => consumer.running === 1, { what: 'the job runs' });
      await server.halt();
      release();
      await until(() => consumer.running === 0, { what: 'the handler ended' });
      await server.resume();
      const address = { host: 'gpu-1', id: downloadJob.id(job) };
      await until(async () => (await queues.inspect([address]).catch(() => []))[0]?.state === 'finished', {
        what: 'the job is finished',
      });
      await server.halt();
      const before = Date.now();
      await consumer.stop();
      expect(Date.now() - before).toBeLessThan(2_000);
    } finally {
      await consumer.stop();
      disconnect(redis);
      await queues.stop();
      disconnect(test.redis);
      await server.end();
    }
  }, 60_000);
});
