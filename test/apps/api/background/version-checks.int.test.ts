import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import type { CheckVersionJob } from '#contracts/worker/check-version-job';
import type { Model } from '#contracts/http/models';
import { silentLogger } from '#core/logger';
import { HOUR_MS } from '#core/units';
import { dueModels } from '#database/models/version-schedule';
import { connectPatiently, disconnect } from '#queue/connection';
import { MaintenanceConsumer } from '#queue/jobs/maintenance-consumer';
import { MaintenanceQueue } from '#queue/jobs/maintenance-queue';
import { createVersionChecks, orderChecks } from '../../../../apps/api/background/version-checks.ts';
import { testRedisUrl } from '../../../helpers/services.ts';
import { until } from '../../../helpers/until.ts';
import { startApp, type TestApp } from '../start-app.ts';

const COMMIT = 'a'.repeat(40);
const IDENTITY = { workerId: 'w', bootId: 'b' };
const manifest = (name: string, revision = COMMIT) => ({
  name,
  version: '1',
  files: [{ path: 'a.bin', sha256: 'ab'.repeat(32) }],
  sources: [{ kind: 'huggingface', repo: 'acme/sample', revision }],
});

describe('the schedule of version checks', () => {
  let api: TestApp;
  let queue: MaintenanceQueue;
  const closing: (() => Promise<void> | void)[] = [];
  beforeEach(async () => {
    api = await startApp();
    queue = new MaintenanceQueue({ redis: api.deps.queues.redis, prefix: api.deps.prefix, logger: silentLogger });
    await until(() => api.deps.queues.redis.status === 'ready', { what: 'redis connected' });
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
    await queue.stop();
    await api.stop();
  });

  const publish = (name: string, revision?: string) => api.call('POST', '/api/models', manifest(name, revision));
  const jobs = async (): Promise<CheckVersionJob[]> =>
    (await queue.queue.getJobs(['waiting', 'active', 'completed'])).map((job) => job.data as CheckVersionJob);
  const inAnHour = (): Date => new Date(Date.now() + 2 * HOUR_MS);

  function consume(onCheck: (job: CheckVersionJob, signal: AbortSignal) => Promise<void>): MaintenanceConsumer {
    const settings = { url: testRedisUrl(), prefix: api.deps.prefix };
    const redis = connectPatiently(settings, 'test', silentLogger);
    const consumer = new MaintenanceConsumer({
      redis,
      prefix: settings.prefix,
      identity: IDENTITY,
      onCheck,
      logger: silentLogger,
    });
    closing.push(
      () => disconnect(redis),
      () => consumer.stop(),
    );
    consumer.start();
    return consumer;
  }

  it('VE2 makes one job per model and slot, and the next slot about an interval later', async () => {
    await publish('whisper');
    await Promise.all([1, 2, 3].map(() => orderChecks(api.deps, queue, HOUR_MS, () => 0)));
    await orderChecks(api.deps, queue, HOUR_MS);
    expect(await jobs()).toEqual([
      {
        version: 1,
        model: 'whisper',
        current: '1',
        origin: { huggingface: { repo: 'acme/sample', revision: 'main', commit: COMMIT } },
      },
    ]);
    const [due] = await dueModels(api.deps.database, inAnHour(), 10);
    const waitMs = due!.dueAt.getTime() - Date.now();
    expect(waitMs).toBeGreaterThan(0.85 * HOUR_MS);
    expect(waitMs).toBeLessThanOrEqual(0.9 * HOUR_MS);
  });

  it('makes no job for a model without anything to watch, and looks again later', async () => {
    await publish('moving', 'main');
    await orderChecks(api.deps, queue, HOUR_MS);
    expect(await jobs()).toEqual([]);
    expect(await dueModels(api.deps.database, new Date(), 10)).toEqual([]);
  });

  it('a crash between the job and the next slot adds the same job again, which changes nothing', async () => {
    await publish('whisper');
    const [due] = await dueModels(api.deps.database, new Date(), 10);
    await orderChecks(api.deps, queue, HOUR_MS);
    await api.deps.database.pool.query('UPDATE models SET next_check_at = $1', [due!.dueAt]);
    await orderChecks(api.deps, queue, HOUR_MS);
    expect(await jobs()).toHaveLength(1);
  });

  it('is asked for by POST /check, and two API processes make one job of it', async () => {
    await publish('whisper');
    await orderChecks(api.deps, queue, HOUR_MS);
    const answer = await api.call('POST', '/api/models/whisper/check');
    expect(answer.statusCode).toBe(202);
    expect(answer.json<Model>().name).toBe('whisper');
    const loops = [1, 2].map(() => createVersionChecks(api.deps, queue, HOUR_MS));
    for (const loop of loops) loop.start();
    await until(async () => (await jobs()).length > 1, { what: 'the second job' });
    await until(async () => (await dueModels(api.deps.database, new Date(), 1)).length === 0, {
      what: 'no model is due',
    });
    await Promise.all(loops.map((loop) => loop.stop()));
    expect(await jobs()).toHaveLength(2);
    expect((await api.call('POST', '/api/models/nobody/check')).statusCode).toBe(404);
  });

  it('workers run one check each at a time, and each job once', async () => {
    const seen: string[] = [];
    const running = new Map<number, number>();
    for (const worker of [0, 1])
      consume(async ({ model }) => {
        running.set(worker, (running.get(worker) ?? 0) + 1);
        expect(running.get(worker)).toBe(1);
        seen.push(model);
        await setImmediate();
        running.set(worker, 0);
      });
    for (const name of ['a1', 'a2', 'a3', 'a4']) await publish(name);
    await orderChecks(api.deps, queue, HOUR_MS);
    await until(() => seen.length === 4, { what: 'all models checked' });
    expect(seen.sort()).toEqual(['a1', 'a2', 'a3', 'a4']);
  });

  it('a worker that stops puts its check back for another', async () => {
    await publish('whisper');
    await orderChecks(api.deps, queue, HOUR_MS);
    let begin = (): void => undefined;
    const began = new Promise<void>((resolve) => (begin = resolve));
    const first = consume(
      (_job, signal) =>
        new Promise((_resolve, reject) => {
          begin();
          signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true });
        }),
    );
    await began;
    await first.stop();
    const done: string[] = [];
    consume(async ({ model }) => void done.push(model));
    await until(() => done.length === 1, { what: 'another worker to check' });
  });
});
