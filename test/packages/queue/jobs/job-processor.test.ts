import { describe, expect, it } from '@jest/globals';
import type { Job } from 'bullmq';
import { downloadJob, type DownloadJob } from '#contracts/worker/download-job';
import { silentLogger } from '#core/logger';
import { isLeftBehind, workerName } from '#queue/jobs/boot-reclaim';
import { pauseBeforeAttemptMs } from '#queue/jobs/job-options';
import { backoffStrategy, createProcessor } from '#queue/jobs/job-processor';
import { aJob } from '../../../helpers/jobs.ts';

describe('job processor', () => {
  it('I12 declares three parameters, without which BullMQ passes no signal', () => {
    const processor = createProcessor({
      handler: async () => ({ do: 'done' }),
      stopping: new AbortController().signal,
      onHandled: () => undefined,
      logger: silentLogger,
    });
    expect(processor.length).toBeGreaterThanOrEqual(3);
  });

  describe('with a job of a later release', () => {
    const data = {
      version: 1,
      downloadId: '7b3f6d0e-52a4-4f0f-9d6c-1d2f3a4b5c6d',
      generation: 1,
      attemptsUsed: 0,
      file: { path: 'a.bin', digests: { sha256: 'a'.repeat(64) }, sources: [] },
    };
    const handle = async (payload: object): Promise<{ handled: DownloadJob[]; warned: object[] }> => {
      const handled: DownloadJob[] = [];
      const warned: object[] = [];
      const processor = createProcessor({
        handler: async (job) => (handled.push(job), { do: 'done' }),
        stopping: new AbortController().signal,
        onHandled: () => undefined,
        logger: { ...silentLogger, warn: (fields: object) => void warned.push(fields) },
      });
      const job = { id: 'j', name: downloadJob.name, data: payload, opts: {}, attemptsMade: 0, attemptsStarted: 1 };
      await processor(job as unknown as Job, 'token', new AbortController().signal);
      return { handled, warned };
    };

    it('runs by the known fields, and logs the unknown ones', async () => {
      const later = { ...data, urgency: 5, file: { ...data.file, license: 'mit' } };
      const { handled, warned } = await handle(later);
      expect(handled).toEqual([data]);
      expect(warned).toEqual([{ jobId: 'j', ignored: ['file.license', 'urgency'] }]);
      expect((await handle(data)).warned).toEqual([]);
    });

    it('refuses one of another version, and says which program to update', async () => {
      await expect(handle({ ...data, version: 2 })).rejects.toThrow(/version: .*update the worker/);
    });
  });

  describe('a job that is begun again and again', () => {
    const run = async (attemptsStarted: number, waits: object | undefined): Promise<boolean> => {
      let ran = false;
      const processor = createProcessor({
        handler: async () => ((ran = true), { do: 'done' }),
        stopping: new AbortController().signal,
        onHandled: () => undefined,
        logger: silentLogger,
      });
      const data = { ...aJob(), waits };
      const job = { id: 'j', name: downloadJob.name, data, opts: {}, attemptsMade: 1, attemptsStarted };
      await processor(job as unknown as Job, 'token', new AbortController().signal);
      return ran;
    };

    it('I30 is refused after 30 starts without an end: it crashes every worker', async () => {
      expect(await run(32, undefined)).toBe(true);
      await expect(run(33, undefined)).rejects.toThrow(/begun 31 times without an end/);
    });

    it('I30 runs however often it waited in order', async () => {
      expect(await run(1032, { orderlyStarts: 1000, sourceWaitsInARow: 9 })).toBe(true);
      await expect(run(1033, { orderlyStarts: 1000, sourceWaitsInARow: 9 })).rejects.toThrow(/begun 31 times/);
    });
  });

  it.each([
    [1, 500, 1_000],
    [2, 1_000, 2_000],
    [3, 2_000, 4_000],
    [9, 2_000, 4_000],
  ])('RE5 pauses before attempt %i + 1 between %i and %i ms', (attemptsMade, least, most) => {
    expect(pauseBeforeAttemptMs(attemptsMade, 0)).toBe(least);
    expect(pauseBeforeAttemptMs(attemptsMade, 0.999_999)).toBe(most);
    const pause = backoffStrategy(attemptsMade, 'haulier', new Error('any'));
    expect(pause).toBeGreaterThanOrEqual(least);
    expect(pause).toBeLessThanOrEqual(most);
  });
});

describe('jobs left behind', () => {
  const identity = { workerId: 'w1', bootId: 'b2' };

  it.each([
    ['an earlier boot of this worker', workerName({ workerId: 'w1', bootId: 'b1' }), true],
    ['this boot', workerName(identity), false],
    ['another worker', workerName({ workerId: 'w2', bootId: 'b1' }), false],
    ['nobody', null, false],
    ['a worker without a name of ours', 'w1', false],
  ])('are those of %s: %s -> %s', (_who, processedBy, left) => {
    expect(isLeftBehind(processedBy, identity)).toBe(left);
  });
});
