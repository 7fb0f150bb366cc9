import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type DownloadJob, downloadJob } from '#contracts/worker/download-job';
import { silentLogger } from '#core/logger';
import { JobConsumer } from '#queue/jobs/job-consumer';
import { downloadQueue, jobKey } from '#queue/keys';
import { ConsumerKit, DONE, stopped } from '../../../helpers/consumer-kit.ts';
import { aJob } from '../../../helpers/jobs.ts';
import { expectNoLeaks } from '../../../helpers/leaks.ts';
import { until } from '../../../helpers/until.ts';
import { expectWithin } from '../../../helpers/within.ts';

expectNoLeaks();

let kit: ConsumerKit;
beforeEach(async () => {
  kit = new ConsumerKit();
  await kit.ready();
});
afterEach(() => kit.stop());

describe('job consumer', () => {
  it('hands a job of the pool to the handler and finishes it', async () => {
    const seen: [DownloadJob, number, boolean][] = [];
    await kit.consume({
      handler: async (job, { attempt, lastAttempt }) => (seen.push([job, attempt, lastAttempt]), DONE),
    });
    const job = await kit.add();
    await kit.untilState(job, 'completed');
    expect(seen).toEqual([[job, 1, false]]);
  });

  it('takes jobs of its own host and of the pool, and none of another host', async () => {
    const seen: string[] = [];
    await kit.consume({ host: 'gpu-1', handler: async (job) => (seen.push(job.downloadId), DONE) });
    const own = await kit.add('gpu-1');
    const shared = await kit.add(null);
    const foreign = await kit.add('gpu-2');
    await kit.untilState(own, 'completed', 'gpu-1');
    await kit.untilState(shared, 'completed');
    expect(new Set(seen)).toEqual(new Set([own.downloadId, shared.downloadId]));
    expect(await (await kit.found(foreign, 'gpu-2')).getState()).toBe('waiting');
  });

  it('H02 puts a running job back on stop within two seconds, burns no attempt, and the next worker runs it', async () => {
    const consumer = await kit.consume({
      handler: async (_job, context) => {
        expect(await stopped(context)).toBe('shutdown');
        return { do: 'put-back', reason: 'shutdown' };
      },
    });
    const job = await kit.add();
    await until(() => consumer.running === 1, { what: 'the job runs' });
    await expectWithin(2_000, () => consumer.stop());
    const stored = await kit.found(job);
    expect([await stored.getState(), stored.attemptsMade]).toEqual(['waiting', 0]);
    const attempts: number[] = [];
    await kit.consume({ handler: async (_job, { attempt }) => (attempts.push(attempt), DONE) });
    await kit.untilState(job, 'completed');
    expect(attempts).toEqual([1]);
  });

  it('ends by the deadline although a handler ignores its signal', async () => {
    let release = (): void => undefined;
    const consumer = await kit.consume({
      timings: { stopDeadlineMs: 300 },
      handler: () => new Promise((resolve) => (release = () => resolve(DONE))),
    });
    await kit.add();
    await until(() => consumer.running === 1, { what: 'the job runs' });
    await expectWithin(1_000, () => consumer.stop());
    release();
    await until(() => consumer.running === 0, { what: 'the handler ended' });
  });

  it('delays three times without burning an attempt, even with a single attempt left', async () => {
    const attempts: [number, boolean][] = [];
    await kit.consume({
      handler: async (_job, { attempt, lastAttempt }) => {
        attempts.push([attempt, lastAttempt]);
        return attempts.length <= 3 ? { do: 'delay', untilMs: Date.now() + 20, for: 'space' } : DONE;
      },
    });
    const job = await kit.add(null, aJob({ attemptsUsed: 2 }));
    await kit.untilState(job, 'completed');
    expect(attempts).toEqual([
      [3, true],
      [3, true],
      [3, true],
      [3, true],
    ]);
    expect((await kit.found(job)).attemptsStarted).toBe(4);
  });

  it('F40 I30 waits more often than it may crash, and counts the waits for sources until a byte arrives', async () => {
    const waits: number[] = [];
    await kit.consume({
      handler: async (_job, { sourceWaitsInARow }) => {
        waits.push(sourceWaitsInARow);
        if (waits.length <= 40) return { do: 'delay', untilMs: Date.now() + 5, for: 'sources' };
        return waits.length === 41 ? { do: 'retry', error: new Error('cut off'), afterMs: 5 } : DONE;
      },
    });
    const job = await kit.add(null, aJob({ attemptsUsed: 1 }));
    await kit.untilState(job, 'completed');
    expect(waits).toEqual([...Array.from({ length: 41 }, (_, count) => count), 0]);
    expect((await kit.found(job)).attemptsMade).toBe(2);
  });

  it('RE3 retries twice and then fails the job, three attempts in all', async () => {
    const attempts: [number, boolean][] = [];
    await kit.consume({
      handler: async (_job, { attempt, lastAttempt }) => {
        attempts.push([attempt, lastAttempt]);
        return { do: 'retry', error: new Error('every gateway timed out'), afterMs: 10 };
      },
    });
    const job = await kit.add();
    await kit.untilState(job, 'failed');
    expect(attempts).toEqual([
      [1, false],
      [2, false],
      [3, true],
    ]);
    expect((await kit.found(job)).failedReason).toBe('every gateway timed out');
    expect(kit.failures).toEqual([]);
  });

  it('RE5 waits for the usual backoff where the handler names none', async () => {
    const consumer = await kit.consume({
      handler: async () => {
        // It takes the job up no more, so that the pause is there to be read.
        void consumer.stop();
        return { do: 'retry', error: new Error('later') };
      },
    });
    const job = await kit.add();
    await kit.untilState(job, 'delayed');
    const { delay } = await kit.found(job);
    expect(delay).toBeGreaterThanOrEqual(500);
    expect(delay).toBeLessThanOrEqual(1_000);
  });

  it('fails at once for a permanent failure', async () => {
    await kit.consume({ handler: async () => ({ do: 'fail', error: new Error('wrong digest') }) });
    const job = await kit.add();
    await kit.untilState(job, 'failed');
    const stored = await kit.found(job);
    expect([stored.failedReason, stored.attemptsMade]).toEqual(['wrong digest', 1]);
    expect(kit.failures).toEqual([]);
  });

  it('H15 survives a handler that throws, and reports the failure once its attempts are used up', async () => {
    await kit.consume({
      handler: async (job) => {
        if (job.attemptsUsed === 2) throw new Error('a bug');
        return DONE;
      },
    });
    const bad = await kit.add(null, aJob({ attemptsUsed: 2 }));
    const good = await kit.add();
    await kit.untilState(bad, 'failed');
    await kit.untilState(good, 'completed');
    expect(kit.failures).toEqual([{ jobId: downloadJob.id(bad), message: 'a bug' }]);
  });

  it('I20 fails a job of an unknown name with a clear message', async () => {
    await kit.consume({ handler: async () => DONE });
    await kit.queues.openQueue(null).add('unpack-file', aJob(), { jobId: 'strange' });
    await until(() => kit.failures.length > 0, { what: 'the failure is told' });
    expect(kit.failures[0]?.jobId).toBe('strange');
    expect(kit.failures[0]?.message).toContain('knows no job "unpack-file", only "download-file"');
  });

  it('fails a job whose payload is not of this version, naming the field', async () => {
    await kit.consume({ handler: async () => DONE });
    await kit.queues.openQueue(null).add('download-file', { ...aJob(), version: 2 }, { jobId: 'newer', attempts: 3 });
    await until(() => kit.failures.length > 0, { what: 'the failure is told' });
    expect(kit.failures[0]?.message).toMatch(/version: .*update the worker or the API/);
    const stored = await kit.queues.openQueue(null).getJob('newer');
    expect(stored?.attemptsMade).toBe(1);
  });

  it('H14 stops the handler of a job whose lock was lost, and leaves the job to its new owner', async () => {
    const reasons: unknown[] = [];
    const consumer = await kit.consume({
      timings: { lockDurationMs: 400, stalledIntervalMs: 60_000 },
      handler: async (_job, context) => {
        reasons.push(await stopped(context));
        return { do: 'put-back', reason: 'lock lost' };
      },
    });
    const job = await kit.add();
    await until(() => consumer.running === 1, { what: 'the job runs' });
    await kit.test.redis.set(
      `${jobKey(downloadQueue(kit.test.settings.prefix, null), downloadJob.id(job))}:lock`,
      'another worker',
    );
    await until(() => reasons.length === 1 && consumer.running === 0, { what: 'the handler ended' });
    expect(reasons).toEqual(['lock-lost']);
    expect(await (await kit.found(job)).getState()).toBe('active');
  });

  it('keeps finished jobs of a host in small number', async () => {
    await kit.consume({ host: 'gpu-1', handler: async () => DONE });
    for (let count = 0; count < 6; count++) await untilGoneOrCompleted(await kit.add('gpu-1'));
    expect(await kit.queues.openQueue('gpu-1').getCompletedCount()).toBe(3);
  });

  const untilGoneOrCompleted = (job: DownloadJob) =>
    until(
      async () => (await kit.queues.inspect([{ host: 'gpu-1', id: downloadJob.id(job) }]))[0]?.state === 'finished',
      {
        what: 'the job is finished',
      },
    );

  it('is safe to stop twice and before start, and refuses to serve no queue at all', async () => {
    const options = { redis: kit.test.redis, prefix: kit.test.settings.prefix, concurrency: 1, logger: silentLogger };
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
