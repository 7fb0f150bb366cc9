import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Download, DownloadDetail, DownloadRequest } from '#contracts/http/downloads';
import type { LivePosition } from '#contracts/live';
import { downloadJob } from '#contracts/worker/download-job';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import { unqueuedDownloads } from '#database/downloads/outbox-queries';
import { commandKey, eventStreamKey } from '#queue/keys';
import { createRecorder, recordBatches } from '../../../../apps/api/background/recorder.ts';
import { relayAll } from '../../../../apps/api/background/relay.ts';
import { privateRedis } from '../../../helpers/redis.ts';
import type { PrivateRedis } from '../../../helpers/redis.ts';
import { testRedisUrl } from '../../../helpers/services.ts';
import { until } from '../../../helpers/until.ts';
import { startApp } from '../start-app.ts';
import type { TestApp } from '../start-app.ts';
import { batch, callsOf, finished, progress, started } from './carrying.ts';

let api: TestApp;
beforeEach(async () => {
  api = await startApp();
});
afterEach(() => api.stop());

const { create, get, jobState } = callsOf(() => api);

describe('the relay', () => {
  it('makes a job of a row, in the queue of its host', async () => {
    const pooled = await create('pooled');
    const hosted = await create('hosted', 'gpu-1');
    await relayAll(api.deps);
    expect(await jobState(pooled.id, 1)).toBe('open');
    expect(await jobState(hosted.id, 1, 'gpu-1')).toBe('open');
    expect((await get(pooled.id)).reason).toBe('queued');
    const job = await api.deps.queues.openQueue('gpu-1').getJob(`${hosted.id}.g1`);
    expect(downloadJob.payload.parse(job!.data)).toMatchObject({ downloadId: hosted.id, generation: 1 });
  });

  it('J03 adds nothing twice when it died between the add and the mark, or runs twice at once', async () => {
    const { id } = await create('twice');
    await relayAll(api.deps);
    await api.deps.database.pool.query('UPDATE downloads SET enqueued_generation = 0');
    await Promise.all([relayAll(api.deps), relayAll(api.deps)]);
    expect(await api.deps.queues.openQueue(null).getJobCountByTypes('waiting', 'prioritized')).toBe(1);
    expect((await get(id)).reason).toBe('queued');
  });

  it('makes jobs of all rows in one go, in batches', async () => {
    const hosts = ['gpu-1', 'gpu-2', 'gpu-3'];
    const files = ['a', 'b', 'c'].map((name) => ({ path: `${name}.bin`, sizeBytes: 10, sha256: 'a'.repeat(64) }));
    await api.call('POST', '/api/downloads', { files, hosts });
    expect(await relayAll(api.deps, { batch: 2 })).toBe(9);
    for (const host of hosts) expect(await api.deps.queues.openQueue(host).getWaitingCount()).toBe(3);
    expect(await unqueuedDownloads(api.deps.database, 100)).toEqual([]);
    expect(await relayAll(api.deps)).toBe(0);
  });

  it('ends after the batch under way when it is stopped, and goes on with the rest', async () => {
    const files = ['a', 'b', 'c'].map((name) => ({ path: `${name}.bin`, sizeBytes: 10, sha256: 'a'.repeat(64) }));
    await api.call('POST', '/api/downloads', { files, host: 'gpu-1' });
    const stop = new AbortController();
    const add = api.deps.queues.addAll.bind(api.deps.queues);
    const deps = {
      ...api.deps,
      queues: Object.assign(Object.create(api.deps.queues) as typeof api.deps.queues, {
        addAll: (...jobs: Parameters<typeof add>) => {
          stop.abort();
          return add(...jobs);
        },
      }),
    };
    expect(await relayAll(deps, { batch: 1, signal: stop.signal })).toBe(1);
    expect(await unqueuedDownloads(api.deps.database, 100)).toHaveLength(2);
    expect(await relayAll(api.deps)).toBe(2);
  });

  it('takes a cancelled job out of its queue', async () => {
    const { id } = await create('unwanted', 'gpu-1');
    await relayAll(api.deps);
    await api.call('POST', `/api/downloads/${id}/cancel`);
    expect(await jobState(id, 1, 'gpu-1')).toBe('absent');
  });
});

describe('the recorder', () => {
  it('applies events once, however often they come', async () => {
    const { id } = await create('told');
    await relayAll(api.deps);
    const said = [batch([started(id), progress(id), finished(id)])];
    expect(await recordBatches(api.deps, said)).toMatchObject({ applied: 3, dropped: 0 });
    const once = await get(id);
    expect(once).toMatchObject({ status: 'success', percent: 100, path: '/store/a.bin', outcome: 'primary_success' });
    await recordBatches(api.deps, said);
    const twice = await get(id);
    expect(twice).toEqual(once);
  });

  it('drops and counts events of unknown downloads', async () => {
    const { dropped } = await recordBatches(api.deps, [batch([finished(randomUUID())])]);
    expect(dropped).toBe(1);
  });

  it('wakes a long-poll', async () => {
    const { id, version } = await create('watched');
    const waiting = api.call('GET', `/api/downloads/${id}?wait=30s&until=final&after=${version}`);
    await recordBatches(api.deps, [batch([started(id), finished(id)])]);
    expect((await waiting).json<DownloadDetail>().status).toBe('success');
  });

  it('sends the stop command again to a worker that missed it', async () => {
    const { id } = await create('deaf');
    await api.deps.database.pool.query(`UPDATE downloads SET status = 'cancelled' WHERE id = $1`, [id]);
    await recordBatches(api.deps, [batch([progress(id)])]);
    const command = await api.deps.queues.redis.get(commandKey(api.deps.prefix, null, id));
    expect(JSON.parse(command!)).toEqual({ version: 1, downloadId: id, generation: 1, command: 'cancel' });
  });

  it('reads the stream side by side with another', async () => {
    const { prefix, queues } = api.deps;
    const ids: string[] = [];
    for (let n = 0; n < 20; n += 1) ids.push((await create(`stream-${n}`)).id);
    const settings = { url: testRedisUrl(), prefix };
    const recorders = ['a', 'b'].map((name) => createRecorder(api.deps, settings, name));
    for (const recorder of recorders) recorder.start();
    for (const id of ids)
      await queues.redis.xadd(eventStreamKey(prefix), '*', 'batch', JSON.stringify(batch([started(id), finished(id)])));
    await until(async () => (await Promise.all(ids.map(get))).every((download) => download.status === 'success'), {
      what: 'all downloads succeeded',
    });
    await Promise.all(recorders.map((recorder) => recorder.stop()));
    const applied = recorders.reduce((sum, recorder) => sum + recorder.counts().applied, 0);
    expect(applied).toBe(40);
  });
});

describe('positions of running downloads', () => {
  const startOne = (everyMs: number) => {
    const told: LivePosition[] = [];
    const live = { ...api.deps.live, tellPositions: (positions: readonly LivePosition[]) => told.push(...positions) };
    const settings = { url: testRedisUrl(), prefix: api.deps.prefix };
    const recorder = createRecorder({ ...api.deps, live }, settings, 'gathers', everyMs);
    recorder.start();
    const say = (...events: WorkerEvent[]) =>
      api.deps.queues.redis.xadd(eventStreamKey(api.deps.prefix), '*', 'batch', JSON.stringify(batch(events)));
    const wasTold = (bytes: number) =>
      until(() => told.some((position) => position.bytes === bytes), { what: `the position ${bytes} is told` });
    return { recorder, say, wasTold };
  };
  const at = (id: string, committedBytes: number): WorkerEvent => ({
    ...(progress(id) as Extract<WorkerEvent, { type: 'download.progress' }>),
    committedBytes,
  });
  const LATER_MS = 3_600_000;

  it('M15 are told at once and written together, the last ones when the recorder stops', async () => {
    const { id } = await create('gathered');
    const { recorder, say, wasTold } = startOne(LATER_MS);
    await say(started(id));
    await say(at(id, 3));
    await wasTold(3);
    expect((await get(id)).bytes).toBe(3);
    await say(at(id, 4));
    await wasTold(4);
    expect((await get(id)).bytes).toBe(3);
    await api.deps.database.pool.query(`UPDATE downloads SET heartbeat_at = heartbeat_at - interval '1 minute'`);
    await recorder.stop();
    expect((await get(id)).bytes).toBe(4);
    expect(recorder.counts()).toEqual({ applied: 3, dropped: 0 });
  });

  it('M15 do not touch a download that ended meanwhile', async () => {
    const { id } = await create('ended');
    const { recorder, say, wasTold } = startOne(LATER_MS);
    await say(started(id), at(id, 3));
    await wasTold(3);
    await say(at(id, 4));
    await wasTold(4);
    await say(finished(id));
    await until(async () => (await get(id)).status === 'success', { what: 'the end' });
    await recorder.stop();
    expect(await get(id)).toMatchObject({ status: 'success', bytes: 10 });
    expect(recorder.counts()).toEqual({ applied: 3, dropped: 1 });
  });

  it('M15 are written after some time, without another event', async () => {
    const { id } = await create('timed');
    const { recorder, say } = startOne(1);
    await say(started(id), at(id, 3));
    await until(async () => (await get(id)).bytes === 3, { what: 'the first position' });
    await api.deps.database.pool.query(`UPDATE downloads SET heartbeat_at = heartbeat_at - interval '1 minute'`);
    await say(at(id, 4));
    await until(async () => (await get(id)).bytes === 4, { what: 'the second position' });
    await recorder.stop();
  });
});

describe('while Redis is down', () => {
  let server: PrivateRedis;
  let cut: TestApp;
  beforeAll(async () => {
    server = await privateRedis();
    cut = await startApp({ redisUrl: server.url });
  });
  afterAll(async () => {
    await cut.stop();
    await server.end();
  });

  it('I01 takes requests, and the relay queues them when it is back', async () => {
    await server.halt();
    const body = { files: [{ path: 'cut.bin', sizeBytes: 10, sha256: 'b'.repeat(64) }] };
    const response = await cut.call('POST', '/api/downloads', body);
    expect(response.statusCode).toBe(202);
    const { id } = response.json<DownloadRequest>().downloads[0]!;
    await expect(relayAll(cut.deps)).rejects.toThrow();
    expect((await cut.call('GET', `/api/downloads/${id}`)).json<Download>().reason).toBe('not_queued_yet');
    expect((await cut.call('POST', `/api/downloads/${id}/pause`)).statusCode).toBe(200);
    expect((await cut.call('POST', `/api/downloads/${id}/resume`)).statusCode).toBe(200);
    await server.resume();
    await until(() => relayAll(cut.deps).then(() => true), { what: 'the relay adds the job' });
    expect((await cut.call('GET', `/api/downloads/${id}`)).json<Download>().reason).toBe('queued');
  });
});
