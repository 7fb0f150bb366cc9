import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DownloadDetail, DownloadList, DownloadRequest } from '#contracts/http/downloads';
import type { Problem } from '#contracts/http/problem';
import { startApp } from './start-app.ts';
import type { TestApp } from './start-app.ts';
import { expectWithin } from '../../helpers/within.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startApp();
});
afterAll(() => api.stop());

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const file = (name: string) => ({ path: `${name}.bin`, sizeBytes: name.length, sha256: sha256(name) });

const create = async (body: object): Promise<DownloadRequest> => {
  const response = await api.call('POST', '/api/downloads', body);
  expect([response.statusCode, response.body]).toEqual([202, expect.any(String)]);
  return response.json();
};

const createOne = async (name: string, more: object = {}) =>
  (await create({ files: [file(name)], ...more })).downloads[0]!;

describe('POST /api/downloads', () => {
  it('answers 202 with a Location that leads to the download', async () => {
    const response = await api.call('POST', '/api/downloads', { files: [file('one')], host: 'gpu-1' });
    expect(response.statusCode).toBe(202);
    const { downloads, request } = response.json<DownloadRequest>();
    expect(request).toMatchObject({ created: 1, existing: 0, hosts: ['gpu-1'] });
    expect(downloads[0]).toMatchObject({ status: 'pending', reason: 'not_queued_yet', host: 'gpu-1', file: 'one.bin' });
    const there = await api.call('GET', response.headers.get('location')!);
    expect(there.json<DownloadDetail>().id).toBe(downloads[0]!.id);
    expect(api.nudges()).toBeGreaterThan(0);
  });

  it('takes files of a published version, all or some, for several hosts', async () => {
    const manifest = { name: 'many', version: '1', files: [file('a'), file('b')] };
    expect((await api.call('POST', '/api/models', manifest)).statusCode).toBe(201);
    const all = await create({ model: 'many', hosts: ['h1', 'h2'] });
    expect(all.downloads.map((one) => [one.host, one.file])).toEqual([
      ['h1', 'a.bin'],
      ['h1', 'b.bin'],
      ['h2', 'a.bin'],
      ['h2', 'b.bin'],
    ]);
    expect(all.downloads[0]!.model).toEqual({ name: 'many', version: '1' });
    const some = await create({ model: 'many', files: ['b.bin'], host: 'h3' });
    expect(some.downloads.map((one) => one.file)).toEqual(['b.bin']);
    const list = await api.call('GET', all.links.self);
    expect(list.json<DownloadList>().downloads).toHaveLength(4);
  });

  it('K22 CH8 RE11 makes one set of downloads of ten equal requests at once', async () => {
    const body = { files: [file('same'), file('other')], host: 'gpu-2', name: 'twins' };
    const answers = await Promise.all(Array.from({ length: 10 }, () => create(body)));
    const ids = new Set(answers.flatMap((answer) => answer.downloads.map((one) => one.id)));
    expect(ids.size).toBe(2);
    expect(answers.reduce((sum, answer) => sum + answer.request.created, 0)).toBe(2);
  });

  it('CH8 answers a complete file with its finished download, and asks the host again on request', async () => {
    const first = await createOne('complete', { host: 'gpu-3' });
    await api.deps.database.pool.query(
      `UPDATE downloads SET status = 'success', outcome = 'primary_success', verified = true WHERE id = $1`,
      [first.id],
    );
    const again = await create({ files: [file('complete')], host: 'gpu-3' });
    expect(again.downloads[0]).toMatchObject({ id: first.id, status: 'success', percent: 100 });
    expect(again.request).toMatchObject({ created: 0, existing: 1 });
    const elsewhere = await create({ files: [file('complete')], host: 'gpu-4' });
    expect(elsewhere.request.created).toBe(1);
    const rechecked = await create({ files: [file('complete')], host: 'gpu-3', recheck: true });
    expect(rechecked.downloads[0]!.id).not.toBe(first.id);
  });

  it('names every bad field, with its value and what would be right', async () => {
    const response = await api.call('POST', '/api/downloads', {
      files: [{ path: '../../etc/passwd', sha256: 'abc' }, { path: 'fine.bin' }],
      host: 'GPU 1',
      colour: 'red',
    });
    expect(response.statusCode).toBe(400);
    expect(response.headers.get('content-type')).toMatch('application/problem+json');
    const problem = response.json<Problem>();
    expect(problem).toMatchObject({
      type: '/problems/invalid-request',
      code: 'invalid-request',
      instance: '/api/downloads',
    });
    expect(problem.errors!.map((error) => error.pointer).sort()).toEqual(
      ['/colour', '/files/0/path', '/files/0/sha256', '/files/1/sha256', '/host'].sort(),
    );
    expect(problem.errors!.find((error) => error.pointer === '/host')).toMatchObject({ value: 'GPU 1' });
    expect(problem.requestId).toBe(response.headers.get('x-request-id'));
  });

  it.each([
    ['neither model nor files', {}, '/files'],
    ['host and hosts', { model: 'many', host: 'a', hosts: ['b'] }, '/hosts'],
    ['an unknown path of the model', { model: 'many', files: ['z.bin'] }, '/files/0'],
    ['the same path twice', { files: [file('x'), { ...file('y'), path: 'X.bin' }] }, '/files/1/path'],
    ['a speed of nothing', { model: 'many', limitBytesPerSecond: 0 }, '/limitBytesPerSecond'],
    ['a layer that does not exist', { model: 'many', layers: ['carrier-pigeon'] }, '/layers/0'],
    [
      'sources that no job can carry',
      {
        files: [
          {
            ...file('fat'),
            sources: Array.from({ length: 16 }, (_, n) => ({
              kind: 'mirror',
              url: `https://m.example/${n}/${'x'.repeat(970)}`,
            })),
          },
        ],
      },
      '/files/0/sources',
    ],
  ])('refuses %s', async (_what, body, pointer) => {
    const response = await api.call('POST', '/api/downloads', body);
    expect(response.statusCode).toBe(400);
    expect(response.json<Problem>().errors!.map((error) => error.pointer)).toContain(pointer);
  });

  it('K20 does not give back the credentials of a URL it refuses', async () => {
    const source = { kind: 'mirror', url: 'https://user:hunter2@mirror.example/x' };
    const response = await api.call('POST', '/api/downloads', { files: [{ ...file('secret'), sources: [source] }] });
    expect(response.statusCode).toBe(400);
    expect(response.body).not.toContain('hunter2');
  });

  it.each([
    ['unknown-model', { model: 'nobody' }],
    ['unknown-version', { model: 'many', version: '99' }],
  ])('answers %s with 404', async (code, body) => {
    const response = await api.call('POST', '/api/downloads', body);
    expect([response.statusCode, response.json<Problem>().code]).toEqual([404, code]);
  });
});

describe('GET /api/downloads', () => {
  it('IN1 lists by status, cid, model and host, page by page', async () => {
    for (const name of ['p1', 'p2', 'p3']) await createOne(name, { host: 'pages', name: 'paged' });
    const first = (
      await api.call('GET', '/api/downloads?host=pages&status=pending,failed&limit=2')
    ).json<DownloadList>();
    expect(first.downloads).toHaveLength(2);
    const second = (await api.call('GET', first.links.next!)).json<DownloadList>();
    expect(second.downloads).toHaveLength(1);
    expect(second.nextCursor).toBeNull();
    const seen = [...first.downloads, ...second.downloads].map((one) => one.file).sort();
    expect(seen).toEqual(['p1.bin', 'p2.bin', 'p3.bin']);
    const none = (await api.call('GET', '/api/downloads?host=pages&status=success')).json<DownloadList>();
    expect(none.downloads).toEqual([]);
  });

  it.each([
    ['status=happy', '?status.0'],
    ['limit=0', '?limit'],
    ['limit=many', '?limit'],
    ['cursor=AAAA', '?cursor'],
    ['colour=red', '?colour'],
    ['id=7', '?id.0'],
  ])('K21 refuses ?%s and says where', async (query, pointer) => {
    const response = await api.call('GET', `/api/downloads?${query}`);
    expect(response.statusCode).toBe(400);
    expect(response.json<Problem>().errors![0]!.pointer).toBe(pointer);
  });
});

describe('GET /api/downloads/:id', () => {
  it('answers 404 for an unknown and 400 for an impossible id', async () => {
    const unknown = await api.call('GET', '/api/downloads/00000000-0000-4000-8000-000000000000');
    expect([unknown.statusCode, unknown.json<Problem>().code]).toEqual([404, 'unknown-download']);
    expect((await api.call('GET', '/api/downloads/seven')).statusCode).toBe(400);
  });

  it('holds the answer until the download changes', async () => {
    const { id, version } = await createOne('awaited');
    const waiting = api.call('GET', `/api/downloads/${id}?wait=30s&after=${version}`);
    await api.deps.database.pool.query(`UPDATE downloads SET downloaded_bytes = 3 WHERE id = $1`, [id]);
    api.deps.changes.notify([id]);
    const changed = (await waiting).json<DownloadDetail>();
    expect(changed.bytes).toBe(3);
    expect(changed.version).not.toBe(version);
  });

  it('sees what another process changed within about a second', async () => {
    const { id, version } = await createOne('elsewhere');
    const waiting = api.call('GET', `/api/downloads/${id}?wait=30s&after=${version}`);
    await api.deps.database.pool.query(`UPDATE downloads SET downloaded_bytes = 3 WHERE id = $1`, [id]);
    await expectWithin(3000, () => waiting);
  });

  it('answers with how it stands when the wait is over', async () => {
    const { id } = await createOne('patience');
    const response = await api.call('GET', `/api/downloads/${id}?wait=50ms`);
    expect(response.json<DownloadDetail>().status).toBe('pending');
  });

  it('waits only for the end when asked to', async () => {
    const { id } = await createOne('ending');
    const waiting = api.call('GET', `/api/downloads/${id}?wait=30s&until=final`);
    await api.deps.database.pool.query(`UPDATE downloads SET downloaded_bytes = 3 WHERE id = $1`, [id]);
    api.deps.changes.notify([id]);
    await api.call('POST', `/api/downloads/${id}/cancel`);
    expect((await waiting).json<DownloadDetail>().status).toBe('cancelled');
  });

  it.each(['wait=2h', 'wait=soon', 'until=doomsday'])('refuses ?%s', async (query) => {
    const { id } = await createOne('refusal');
    expect((await api.call('GET', `/api/downloads/${id}?${query}`)).statusCode).toBe(400);
  });
});

describe('actions', () => {
  const act = (id: string, name: string) => api.call('POST', `/api/downloads/${id}/${name}`);

  it('RE11 pause, resume and cancel may be repeated', async () => {
    const { id } = await createOne('steered', { host: 'gpu-9' });
    for (const [action, status] of [
      ['pause', 'paused'],
      ['pause', 'paused'],
      ['resume', 'pending'],
      ['resume', 'pending'],
      ['cancel', 'cancelled'],
      ['cancel', 'cancelled'],
      ['resume', 'pending'],
    ] as const) {
      const response = await act(id, action);
      expect([action, response.statusCode, response.json<DownloadDetail>().status]).toEqual([action, 200, status]);
    }
  });

  it('RE9 refuses an illegal move with 409 and the reason', async () => {
    const { id } = await createOne('done');
    await api.deps.database.pool.query(`UPDATE downloads SET status = 'success' WHERE id = $1`, [id]);
    for (const action of ['resume', 'pause', 'cancel']) {
      const response = await act(id, action);
      expect([response.statusCode, response.json<Problem>().code]).toEqual([409, 'illegal-move']);
      expect(response.json<Problem>().detail).toContain('the file is there');
    }
  });

  it('turns a pause of the worker into one of the person', async () => {
    const { id } = await createOne('full');
    await api.deps.database.pool.query(
      `UPDATE downloads SET status = 'paused', pause_reason = 'disk_full' WHERE id = $1`,
      [id],
    );
    expect((await act(id, 'pause')).json<DownloadDetail>()).toMatchObject({ status: 'paused', reason: 'requested' });
  });

  it('refuses to resume what another download of the same file does already', async () => {
    const { id } = await createOne('rival', { host: 'gpu-8' });
    await act(id, 'cancel');
    await createOne('rival', { host: 'gpu-8' });
    expect((await act(id, 'resume')).statusCode).toBe(409);
  });

  it('answers 404 for an unknown download', async () => {
    expect((await act('00000000-0000-4000-8000-000000000000', 'cancel')).statusCode).toBe(404);
  });

  it('needs no body, and takes an empty JSON one', async () => {
    const { id } = await createOne('bodiless');
    const response = await api.call('POST', `/api/downloads/${id}/pause`, '', { 'content-type': 'application/json' });
    expect(response.statusCode).toBe(200);
  });
});
