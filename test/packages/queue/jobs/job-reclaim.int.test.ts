import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { downloadJob } from '#contracts/worker/download-job';
import type { AttemptContext, HandlerResult } from '#queue/jobs/download-handler';
import { downloadQueue, jobKey } from '#queue/keys';
import { ConsumerKit, DONE, stopped } from '../../../helpers/consumer-kit.ts';
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

describe('jobs of workers that died', () => {
  it('H01 H04 runs a job again within three seconds after its worker was killed, without burning an attempt', async () => {
    const identity = { workerId: randomUUID(), bootId: randomUUID() };
    const child = spawn(
      process.execPath,
      [
        'test/packages/queue/jobs/holding-worker.mjs',
        kit.test.settings.url,
        kit.test.settings.prefix,
        JSON.stringify(identity),
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const job = await kit.add('gpu-1');
    await new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    expect(await (await kit.found(job, 'gpu-1')).getState()).toBe('active');
    const attempts: number[] = [];
    await expectWithin(3_000, async () => {
      await kit.consume({
        host: 'gpu-1',
        identity: { ...identity, bootId: randomUUID() },
        handler: async (_job, { attempt }) => (attempts.push(attempt), DONE),
      });
      await kit.untilState(job, 'completed', 'gpu-1');
    });
    expect(attempts).toEqual([1]);
  });

  it('I08 a job that stalls again and again is no failure and burns no attempt', async () => {
    const timings = { lockDurationMs: 10_000, stalledIntervalMs: 200 };
    const job = await kit.add();
    const key = jobKey(downloadQueue(kit.test.settings.prefix, null), downloadJob.id(job));
    const seen: AttemptContext[] = [];
    let frozen: (() => void) | undefined;
    const handler = (_job: unknown, context: AttemptContext): Promise<HandlerResult> => {
      seen.push(context);
      return seen.length === 4 ? Promise.resolve(DONE) : new Promise((resolve) => (frozen = () => resolve(DONE)));
    };
    await kit.consume({ handler, timings, concurrency: 4 });
    for (const starts of [1, 2, 3]) {
      await until(() => seen.length === starts, { what: `it was started ${starts} times` });
      await kit.test.redis.del(`${key}:lock`);
    }
    await kit.untilState(job, 'completed');
    expect(await kit.test.redis.hget(key, 'stc')).toBe('3');
    expect(seen.map(({ attempt, timesStarted }) => [attempt, timesStarted])).toEqual([1, 2, 3, 4].map((n) => [1, n]));
    expect(kit.failures).toEqual([]);
    frozen?.();
  });

  it('H14 a job whose worker stood still for three lock durations runs twice, and its result and its end are the same', async () => {
    const lockDurationMs = 600;
    const folder = await mkdtemp(join(tmpdir(), 'haulier-blocked-'));
    const result = join(folder, 'result');
    const publish = async (): Promise<void> => {
      await writeFile(`${result}.other`, 'proven bytes');
      await rename(`${result}.other`, result);
    };
    const identity = JSON.stringify({ workerId: randomUUID(), bootId: randomUUID() });
    const { url, prefix } = kit.test.settings;
    const script = 'test/packages/queue/jobs/blocked-worker.mjs';
    const words = [script, url, prefix, identity, String(lockDurationMs), result, 'proven bytes'];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    const gone = once(child, 'exit');
    try {
      const job = await kit.add('gpu-1');
      await once(child.stdout, 'data');
      const attempts: number[] = [];
      await kit.consume({
        host: 'gpu-1',
        timings: { lockDurationMs: 10_000, stalledIntervalMs: 100 },
        handler: async (_job, { attempt }) => (attempts.push(attempt), await publish(), DONE),
      });
      await kit.untilState(job, 'completed', 'gpu-1');
      expect(await gone).toEqual([0, null]);
      expect(attempts).toEqual([1]);
      expect(await (await kit.found(job, 'gpu-1')).getState()).toBe('completed');
      expect(kit.failures).toEqual([]);
      expect(await readFile(result, 'utf8')).toBe('proven bytes');
    } finally {
      child.kill('SIGKILL');
      await rm(folder, { recursive: true });
    }
  });

  it('keeps the active jobs of a live worker', async () => {
    const running = await kit.consume({
      concurrency: 1,
      handler: async (_job, context) => (await stopped(context), { do: 'put-back', reason: 'shutdown' }),
    });
    const job = await kit.add();
    await until(() => running.running === 1, { what: 'the job runs' });
    const seen: string[] = [];
    await kit.consume({ handler: async ({ downloadId }) => (seen.push(downloadId), DONE) });
    const other = await kit.add();
    await kit.untilState(other, 'completed');
    expect(seen).not.toContain(job.downloadId);
    expect(await (await kit.found(job)).getState()).toBe('active');
  });

  it('fails a job that was started too often, with the reason', async () => {
    const job = await kit.add();
    await kit.test.redis.hset(jobKey(downloadQueue(kit.test.settings.prefix, null), downloadJob.id(job)), 'ats', '40');
    await kit.consume({ handler: async () => DONE });
    await kit.untilState(job, 'failed');
    expect(kit.failures[0]?.message).toContain('without an end');
  });
});
