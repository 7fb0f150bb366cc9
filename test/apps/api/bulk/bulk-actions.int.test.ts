import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { BulkAction, BulkItemList, BulkPlan } from '#contracts/http/bulk-actions';
import type { Download } from '#contracts/http/downloads';
import type { Problem } from '#contracts/http/problem';
import { MINUTE_MS } from '#core/units';
import { claimBulkItems } from '#database/downloads/bulk-queries';
import { runSomeItems } from '../../../../apps/api/bulk/run-bulk-actions.ts';
import { startApp, type TestApp } from '../start-app.ts';

describe('bulk actions', () => {
  let api: TestApp;
  const clock = { skewMs: 0 };
  beforeAll(async () => {
    api = await startApp({ now: () => new Date(Date.now() + clock.skewMs) });
  });
  afterAll(() => api.stop());

  /** Downloads of one model on one host, by path. */
  const make = async (model: string, count: number, host = 'gpu-1'): Promise<Download[]> => {
    const files = Array.from({ length: count }, (_, index) => ({
      path: `f${String(index).padStart(3, '0')}.bin`,
      sizeBytes: 9,
      sha256: createHash('sha256').update(`${model} ${index}`).digest('hex'),
    }));
    await api.call('POST', '/api/models', { name: model, version: '1', files });
    await api.call('POST', '/api/downloads', { model, host });
    const list = await api.call('GET', `/api/downloads?model=${model}&host=${host}&limit=500`);
    return list.json<{ downloads: Download[] }>().downloads.sort((a, b) => (a.file < b.file ? -1 : 1));
  };
  const set = (id: string, status: string, more = '') =>
    api.deps.database.pool.query(`UPDATE downloads SET status = $2 ${more} WHERE id = $1`, [id, status]);
  const statusOf = async (id: string): Promise<string> =>
    (await api.call('GET', `/api/downloads/${id}`)).json<Download>().status;
  const post = (action: string, filter: object) => api.call('POST', '/api/bulk-actions', { action, filter });
  const start = async (action: string, filter: object): Promise<BulkAction> => {
    const answer = await post(action, filter);
    expect([answer.statusCode, answer.body.slice(0, 300)]).toEqual([202, expect.anything()]);
    expect(answer.headers.get('location')).toBe(answer.json<BulkAction>().links.self);
    return answer.json();
  };
  const runAll = async (): Promise<void> => {
    while (await runSomeItems(api.deps));
  };
  const get = async ({ links }: BulkAction, query = ''): Promise<BulkAction> =>
    (await api.call('GET', `${links.self}${query}`)).json();
  const run = async (action: string, filter: object): Promise<BulkAction> => {
    const started = await start(action, filter);
    await runAll();
    return get(started);
  };

  it('T08 say beforehand exactly what they would do, and change nothing', async () => {
    const [done, failed, open] = await make('planned', 3);
    await set(done!.id, 'success');
    await set(failed!.id, 'failed');
    const plan = async (action: string, filter: object) =>
      (await api.call('POST', '/api/bulk-actions?dryRun=true', { action, filter })).json<BulkPlan>();
    const all = { ids: [done!.id, failed!.id, open!.id] };
    expect(await plan('cancel', all)).toEqual({
      dryRun: true,
      counts: { matched: 3, pending: 1, unchanged: 0, skipped: 2 },
      reasons: [
        { reason: 'it failed, and nothing runs', count: 1 },
        { reason: 'the file is there and verified', count: 1 },
      ],
    });
    expect((await plan('retry', { model: 'planned' })).counts).toEqual({
      matched: 1,
      pending: 1,
      unchanged: 0,
      skipped: 0,
    });
    expect(await Promise.all([done, failed, open].map((one) => statusOf(one!.id)))).toEqual([
      'success',
      'failed',
      'pending',
    ]);
    const { counts } = await start('cancel', all);
    expect(counts).toMatchObject({ matched: 3, pending: 1, skipped: 2 });
    await runAll();
  });

  it('T08 pause, resume and cancel all downloads of a model that have not ended, with exact counts', async () => {
    const [done, ...open] = await make('whole', 130);
    await set(done!.id, 'success');
    const started = await start('pause', { model: 'whole' });
    expect(started).toMatchObject({ state: 'running', counts: { matched: 129, pending: 129, done: 0 }, endedAt: null });
    await runAll();
    const paused = await get(started, '?wait=1s');
    expect(paused).toMatchObject({
      state: 'done',
      counts: { matched: 129, pending: 0, done: 129, skipped: 0, failed: 0 },
    });
    expect(new Set(await Promise.all(open.slice(0, 5).map(({ id }) => statusOf(id))))).toEqual(new Set(['paused']));
    expect((await run('pause', { model: 'whole' })).counts).toMatchObject({ matched: 129, done: 0, unchanged: 129 });
    expect((await run('resume', { model: 'whole' })).counts).toMatchObject({ matched: 129, done: 129 });
    expect((await run('cancel', { model: 'whole' })).counts).toMatchObject({ matched: 129, done: 129 });
    expect((await run('cancel', { model: 'whole' })).counts).toMatchObject({ matched: 0 });
    expect(await statusOf(done!.id)).toBe('success');
  });

  it('T08 name what they skip and why, also ids that do not exist', async () => {
    const [success, failed, cancelled, paused, pending] = await make('mixed', 5);
    await set(success!.id, 'success');
    await set(failed!.id, 'failed');
    await set(cancelled!.id, 'cancelled');
    await set(paused!.id, 'paused', `, pause_reason = 'disk_full'`);
    const unknown = '00000000-0000-4000-8000-000000000000';
    const ids = [success, failed, cancelled, paused, pending].map((one) => one!.id);
    const ended = await run('resume', { ids: [...ids, unknown, ids[0]] });
    expect(ended.counts).toEqual({ matched: 6, pending: 0, done: 1, unchanged: 1, skipped: 4, failed: 0 });
    expect(ended.skipped.map(({ id, file, reason }) => [id, file, reason])).toEqual([
      [success!.id, 'f000.bin', 'the file is there and verified'],
      [failed!.id, 'f001.bin', 'it failed: retry starts it again'],
      [cancelled!.id, 'f002.bin', 'it was cancelled: retry starts it again'],
      [unknown, null, 'there is no such download'],
    ]);
    const items = await api.call('GET', `${ended.links.items}?state=done,unchanged`);
    expect(items.json<BulkItemList>().items.map(({ id, state }) => [id, state])).toEqual([
      [paused!.id, 'done'],
      [pending!.id, 'unchanged'],
    ]);
  });

  it('T08 retry what failed, and not what a newer download has replaced', async () => {
    const [old, other] = await make('again', 2);
    await set(old!.id, 'failed', `, created_at = created_at - interval '1 day'`);
    await set(other!.id, 'failed');
    await api.call('POST', '/api/downloads', { model: 'again', host: 'gpu-1', files: ['f000.bin'] });
    const ended = await run('retry', { model: 'again' });
    expect(ended.counts).toEqual({ matched: 2, pending: 0, done: 1, unchanged: 0, skipped: 1, failed: 0 });
    expect(ended.skipped).toMatchObject([{ id: old!.id, reason: 'a newer download of this file on this host exists' }]);
    expect([await statusOf(old!.id), await statusOf(other!.id)]).toEqual(['failed', 'pending']);
    await set(other!.id, 'cancelled');
    expect((await run('retry', { model: 'again' })).counts.matched).toBe(1);
    expect((await run('retry', { model: 'again', status: ['cancelled'] })).counts.done).toBe(1);
  });

  it('T08 skip, with the reason, a download that moved on after it was matched', async () => {
    const [moves, stays] = await make('moving', 2);
    const started = await start('cancel', { model: 'moving' });
    await set(moves!.id, 'success');
    await runAll();
    const ended = await get(started);
    expect(ended.counts).toMatchObject({ matched: 2, done: 1, skipped: 1 });
    expect(ended.skipped).toMatchObject([
      { id: moves!.id, reason: 'it cannot cancel: the file is there and verified' },
    ]);
    expect(await statusOf(stays!.id)).toBe('cancelled');
  });

  it('T08 go on in another process after a kill, with the same counts', async () => {
    const downloads = await make('killed', 6);
    const started = await start('cancel', { model: 'killed' });
    const { database, now } = api.deps;
    // A process takes three items, carries out one, and is killed.
    const taken = await claimBulkItems(database, 3, now(), new Date(0));
    expect(taken).toHaveLength(3);
    await api.call('POST', `/api/downloads/${taken[0]!.downloadId}/cancel`);
    await runAll();
    expect(await get(started)).toMatchObject({ state: 'running', counts: { done: 3, pending: 3 } });
    clock.skewMs += MINUTE_MS + 1;
    await runAll();
    expect(await get(started)).toMatchObject({
      state: 'done',
      counts: { matched: 6, done: 6, unchanged: 0, skipped: 0 },
    });
    for (const { id } of downloads) expect(await statusOf(id)).toBe('cancelled');
  });

  it('T08 take each item once, although several processes carry them out', async () => {
    await make('shared', 200);
    const started = await start('pause', { model: 'shared' });
    await Promise.all([runAll(), runAll(), runAll()]);
    expect((await get(started)).counts).toMatchObject({ matched: 200, done: 200, unchanged: 0, skipped: 0 });
  });

  it.each([
    ['an empty filter', {}, '/filter', 'an empty filter means every download'],
    ['ids beside a model', { ids: ['00000000-0000-4000-8000-000000000000'], model: 'x' }, '/filter/ids', 'not both'],
    ['a version without its model', { version: '1' }, '/filter/version', 'name the model as well'],
    ['an unknown status', { status: ['broken'] }, '/filter/status/0', 'Invalid option'],
  ])('refuse %s', async (_what, filter, pointer, detail) => {
    const answer = await post('cancel', filter);
    expect(answer.statusCode).toBe(400);
    expect(answer.json<Problem>().errors).toContainEqual(
      expect.objectContaining({ pointer, detail: expect.stringContaining(detail) }),
    );
  });

  it('answer 404 for an unknown one', async () => {
    const unknown = '/api/bulk-actions/00000000-0000-4000-8000-000000000000';
    for (const path of [unknown, `${unknown}/items`]) {
      const answer = await api.call('GET', path);
      expect([answer.statusCode, answer.json<Problem>().code]).toEqual([404, 'unknown-bulk-action']);
    }
  });
});
