import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'undici';
import type { DownloadDetail, DownloadRequest } from '#contracts/http/downloads';
import type { LiveEvent } from '#contracts/http/events';
import type { Problem } from '#contracts/http/problem';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import type { EventBatch, WorkerEvent } from '#contracts/worker/worker-events';
import { createToken } from '#database/access/token-queries';
import { recordBatches } from '../../../../apps/api/background/recorder.ts';
import { hashOfToken, pepperOf } from '../../../../apps/api/access/authenticate.ts';
import { makeToken } from '../../../../apps/api/access/token-format.ts';
import { until } from '../../../helpers/until.ts';
import { startApp, type TestApp } from '../start-app.ts';
import { openStream, type EventStream } from './event-stream.ts';

describe('live events of two API processes', () => {
  let one: TestApp;
  let two: TestApp;
  let open: { close(): void }[] = [];

  beforeAll(async () => {
    one = await startApp({ live: true });
    two = await startApp({ live: true, beside: one });
    // Both hear each other once a first change arrived.
    for (const [api, other] of [
      [one, two],
      [two, one],
    ] as const) {
      const stream = await openStream(`${api.url}/api/events?topics=hosts`, api.tokens.read);
      await until(
        () => {
          other.deps.changes.notify([`warm-${stream.events.length}`], 'hosts');
          return stream.events.length > 0;
        },
        { what: 'the first change' },
      );
      stream.close();
    }
  });
  afterAll(async () => {
    await two.stop();
    await one.stop();
  });
  afterEach(() => {
    for (const { close } of open) close();
    open = [];
  });

  const stream = async (
    api: TestApp,
    query: string,
    token = api.tokens.read,
    lastId?: string,
  ): Promise<EventStream> => {
    const opened = await openStream(`${api.url}/api/events${query}`, token, lastId);
    open.push(opened);
    return opened;
  };

  /** Opens a WebSocket and collects its events. */
  const socket = async (api: TestApp, query = '', headers: Record<string, string> = {}) => {
    const url = `${api.url.replace('http', 'ws')}/api/events/ws${query}`;
    const ws = new WebSocket(url, { headers: { authorization: `Bearer ${api.tokens.read}`, ...headers } });
    const events: LiveEvent[] = [];
    ws.addEventListener('message', ({ data }) => events.push(JSON.parse(String(data)) as LiveEvent));
    open.push({ close: () => ws.close() });
    const isOpen = await new Promise<boolean>((resolve) => {
      ws.addEventListener('open', () => resolve(true));
      ws.addEventListener('error', () => resolve(false));
    });
    return { ws, events, isOpen };
  };

  const ordered = async (api: TestApp, host = 'gpu-1'): Promise<string> => {
    const file = { path: `${randomUUID()}.bin`, sizeBytes: 1000, sha256: 'a'.repeat(64) };
    const made = await api.call('POST', '/api/downloads', { name: 'live', files: [file], host });
    return made.json<DownloadRequest>().downloads[0]!.id;
  };
  let sequence = 0;
  const report = (api: TestApp, events: WorkerEvent[], host = 'gpu-1'): Promise<unknown> => {
    sequence += 1;
    const batch: EventBatch = { version: 1, host, bootId: BOOT, sequence, sentAt: Date.now(), events };
    return recordBatches(api.deps, [batch]);
  };
  const BOOT = randomUUID();
  const of = (downloadId: string) => ({ downloadId, generation: 1, at: Date.now() });
  const started = (id: string): WorkerEvent => ({ type: 'download.started', ...of(id), attempt: 1, resumedBytes: 0 });
  const progressed = (id: string, committedBytes: number): WorkerEvent => ({
    ...{ type: 'download.progress', ...of(id), committedBytes, totalBytes: 1000, bytesPerSecond: 100 },
    ...{ source: 'https://gateway.example', retries: 2 },
  });
  const finished = (id: string): WorkerEvent => ({
    ...{ type: 'download.finished', ...of(id), outcome: 'primary_success', sizeBytes: 1000, sha256: 'a'.repeat(64) },
    ...{ cid: null, verified: true, path: '/models/live/a', durationMs: 1, resumedBytes: 0, wastedBytes: 0 },
    sources: [
      { source: 'https://gateway.example', layer: 'ipfs', bytes: 1000, wastedBytes: 0, badLeaves: 0, errors: 0 },
    ],
  });

  it('IN2 tell a WebSocket of one process what a recorder of another stores: progress, then the end', async () => {
    const { events, isOpen } = await socket(two);
    expect(isOpen).toBe(true);
    const id = await ordered(one);
    await report(one, [started(id)]);
    await report(one, [progressed(id, 250)]);
    const first = <T extends LiveEvent['type']>(type: T) =>
      events.find(
        (event): event is Extract<LiveEvent, { type: T }> => event.type === type && 'id' in event && event.id === id,
      );
    await until(() => first('model_download_progress') !== undefined, { what: 'progress' });
    expect(first('model_download_progress')).toEqual({
      ...{ type: 'model_download_progress', id, host: 'gpu-1', model: 'live', version: expect.any(String) },
      ...{ file: expect.stringMatching(/\.bin$/), status: 'in_progress', bytes: 250, total: 1000, remaining: 750 },
      ...{ speed: 100, eta: 7.5, percent: 25, gateway: 'https://gateway.example', retries: 2 },
    });
    await report(one, [finished(id)]);
    await until(() => first('download_complete') !== undefined, { what: 'the end' });
    expect(first('download_complete')).toMatchObject({
      ...{ status: 'success', outcome: 'primary_success', bytes: 1000, total: 1000, verified: true },
      ...{ gateway: 'https://gateway.example', path: '/models/live/a', error: null },
    });
    // Other topics were not asked for.
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['model_download_progress', 'download_complete']));
  });

  it('IN2 are the same over an event stream, which proxies neither keep nor hold up', async () => {
    const events = await stream(two, '?topics=progress,downloads&host=gpu-2');
    expect(Object.fromEntries(events.headers)).toMatchObject({
      ...{ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
    });
    const other = await ordered(one);
    const id = await ordered(one, 'gpu-2');
    await report(one, [started(other)]);
    await report(one, [started(id), progressed(id, 10)], 'gpu-2');
    expect(await events.next('model_download_progress')).toMatchObject({ id, bytes: 10 });
    await report(one, [finished(id)], 'gpu-2');
    expect(await events.next('download.changed', ({ status }) => status === 'success')).toMatchObject({ id });
    expect(await events.next('download_complete')).toMatchObject({ id, host: 'gpu-2' });
    expect(events.events.filter((event) => 'id' in event && event.id === other)).toEqual([]);
  });

  it('M14 do not tell positions that a worker reports of a download of another host', async () => {
    const events = await stream(two, '?topics=progress');
    const [mine, foreign] = [await ordered(one), await ordered(one, 'gpu-2')];
    await report(one, [started(mine), progressed(mine, 1), progressed(foreign, 999)]);
    await events.next('model_download_progress', ({ id }) => id === mine);
    expect(JSON.stringify(events.events)).not.toContain(foreign);
  });

  it('M10 bring what was missed to a client that resumes at the other process', async () => {
    const before = await stream(one, '?topics=downloads');
    const first = await ordered(one);
    await report(one, [started(first)]);
    await before.next('download.changed', ({ id, status }) => id === first && status === 'in_progress');
    await until(() => before.lastId() !== '', { what: 'an id' });
    before.close();
    const missed = await ordered(two);
    await report(two, [started(missed)]);
    const after = await stream(two, '?topics=downloads', two.tokens.read, before.lastId());
    expect(await after.next('download.changed', ({ id }) => id === missed)).toMatchObject({ status: 'in_progress' });
    expect(after.events.map(({ type }) => type)).not.toContain('reread');
  });

  it.each(['1-0', 'nonsense'])('tell a client that comes back with %s to read again', async (lastId) => {
    const events = await stream(one, '?topics=downloads', one.tokens.read, lastId);
    await events.next('reread');
  });

  it('wake a long-poll at one process when another one stores the change', async () => {
    const id = await ordered(one);
    const asked = performance.now();
    const waiting = two.call('GET', `/api/downloads/${id}?wait=9s`);
    // Until the request waits, its answer would show the change without being woken.
    await until(() => two.deps.changes.waiting(id) > 0, { what: 'the request' });
    await report(one, [started(id)]);
    expect((await waiting).json<DownloadDetail>().status).toBe('in_progress');
    // Without being told it would look again after ten seconds, or at its end after nine.
    expect(performance.now() - asked).toBeLessThan(8500);
  });

  it('tell rollouts with their counts, and hosts', async () => {
    const events = await stream(two, '?topics=rollouts,hosts');
    const at = Date.now();
    await report(one, [
      { type: 'host.report', at, inventoryDigest: 'd', storeBytes: 1, freeBytes: 1, fileCount: 1, workerVersion: '1' },
    ]);
    await events.next('host.changed', ({ id }) => id === 'gpu-1');
    await one.call('POST', '/api/models', {
      name: 'm',
      version: '1',
      files: [{ path: 'a', sizeBytes: 1, sha256: 'b'.repeat(64) }],
    });
    const made = await one.call('POST', '/api/rollouts', { models: ['m'], selector: '' });
    const { id, version } = made.json<Rollout>();
    const told = await events.next('rollout.progress', (event) => event.id === id);
    expect(told.counts.targeted).toBeGreaterThan(0);
    expect(told.version).toHaveLength(version.length);
  });

  it('tell what workers notice', async () => {
    const events = await stream(two, '?topics=notices');
    const about = { model: 'live', path: 'a.bin', message: 'it is gone', facts: {} };
    await report(one, [{ type: 'host.notice', at: Date.now(), notice: 'missing', ...about }]);
    expect(await events.next('notice.added')).toMatchObject({
      host: 'gpu-1',
      notice: 'missing',
      message: 'it is gone',
    });
  });

  const tokenWith = async (scopes: string[]): Promise<string> => {
    const { database, now } = one.deps;
    const token = makeToken('pat');
    const hash = hashOfToken(token, await pepperOf(database, now()));
    await createToken(database, { name: 'limited', hash, last4: token.slice(-4), scopes }, now());
    return token;
  };

  it('are at most what the token may read', async () => {
    const token = await tokenWith(['rollouts:read']);
    const refused = await one.call('GET', '/api/events?topics=rollouts,hosts', undefined, {
      authorization: `Bearer ${token}`,
    });
    expect(refused.statusCode).toBe(403);
    expect(refused.json<Problem>().detail).toContain(
      'the topic hosts needs a token with the scope "read" or "hosts:read"',
    );
    expect((await one.call('GET', '/api/events', undefined, { authorization: '' })).statusCode).toBe(401);
    const events = await stream(one, '', token);
    one.deps.changes.notify(['gpu-1'], 'hosts');
    await one.call('POST', '/api/rollouts', { models: ['m'], selector: 'none=such', allowEmpty: true });
    await events.next('rollout.progress');
    expect(events.events.map(({ type }) => type)).not.toContain('host.changed');
    expect((await socket(one, '', { authorization: `Bearer ${token}` })).isOpen).toBe(false);
  });

  it('are not opened for pages of other sites, nor with fields that do not exist', async () => {
    const { host } = new URL(one.url);
    expect((await socket(one, '', { origin: 'https://evil.example' })).isOpen).toBe(false);
    expect((await socket(one, '', { origin: `http://${host}` })).isOpen).toBe(true);
    for (const [query, pointer] of [
      ['?topics=downloads,pigeons', '?topics.1'],
      ['?rollout=x', '?rollout'],
      ['?colour=red', '?colour'],
    ] as const) {
      const answer = await one.call('GET', `/api/events${query}`);
      expect([answer.statusCode, answer.json<Problem>().errors?.[0]?.pointer]).toEqual([400, pointer]);
    }
  });

  it('end with the process', async () => {
    const three = await startApp({ live: true, beside: one });
    const events = await stream(three, '');
    const { ws, isOpen } = await socket(three);
    expect(isOpen).toBe(true);
    const closed = new Promise((resolve) => ws.addEventListener('close', resolve));
    await three.stop();
    await Promise.all([closed, until(() => events.isOver(), { what: 'the end of the stream' })]);
  });
});
