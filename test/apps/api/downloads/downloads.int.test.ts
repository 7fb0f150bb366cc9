import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DownloadDetail, DownloadList, DownloadRequest } from '#contracts/http/downloads';
import type { Problem } from '#contracts/http/problem';
import { startApp } from '../start-app.ts';
import type { TestApp } from '../start-app.ts';
import { until } from '../../../helpers/until.ts';
import { expectWithin } from '../../../helpers/within.ts';

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

  const complete = (id: string) =>
    api.deps.database.pool.query(
      `UPDATE downloads SET status = 'success', outcome = 'primary_success', verified = true WHERE id = $1`,
      [id],
    );

  it('CH8 asks the host again for a file that is recorded as complete, and believes the record on request', async () => {
    const first = await createOne('complete', { host: 'gpu-3' });
    await complete(first.id);
    const body = { files: [file('complete')], host: 'gpu-3' };
    const trusting = await api.call('POST', '/api/downloads?trust=rows', body);
    expect(trusting.json<DownloadRequest>()).toMatchObject({
      request: { created: 0, existing: 1 },
      downloads: [{ id: first.id, status: 'success', percent: 100 }],
    });
    const again = await create(body);
    expect(again.request).toMatchObject({ created: 1, existing: 0 });
    expect(again.downloads[0]!.id).not.toBe(first.id);
    expect((await create({ files: [file('complete')], host: 'gpu-4' })).request.created).toBe(1);
  });

  it('CH8 waits a moment for a worker that had the file, and answers with its event', async () => {
    const first = await createOne('asked', { host: 'gpu-3' });
    await complete(first.id);
    const stop = new AbortController();
    const answering = (async () => {
      while (!stop.signal.aborted) {
        const found = await api.deps.database.pool.query<{ id: string }>(
          `UPDATE downloads SET status = 'success', outcome = 'cache_hit' WHERE path = 'asked.bin' AND status = 'pending'
           RETURNING id`,
        );
        api.deps.changes.notify(found.rows.map(({ id }) => id));
      }
    })();
    // The moment is a tenth of a second: on a busy machine the answer of a worker may come after it.
    const again = await until(
      async () => {
        const [download] = (await create({ files: [file('asked')], host: 'gpu-3' })).downloads;
        return download!.status === 'success' ? download : undefined;
      },
      { what: 'an answer with the event of the worker' },
    );
    stop.abort();
    await answering;
    expect(again.outcome).toBe('cache_hit');
    expect(again.id).not.toBe(first.id);
  });

  it('links to more downloads than an answer shows', async () => {
    const hosts = Array.from({ length: 101 }, (_, n) => `many-${n}`);
    const made = await create({ files: [file('wide')], name: 'wide', hosts });
    expect(made).toMatchObject({ request: { created: 101, existing: 0 }, downloads: [] });
    const list = (await api.call('GET', `${made.links.self}&limit=500`)).json<DownloadList>();
    expect(list.downloads).toHaveLength(101);
    expect((await create({ files: [file('wide')], name: 'wide', hosts })).request).toMatchObject({ existing: 101 });
  });

  it('refuses more than a million downloads at once, with the numbers', async () => {
    const hosts = Array.from({ length: 10_001 }, (_, n) => `too-${n}`);
    const files = Array.from({ length: 100 }, (_, n) => file(`too-many-${n}`));
    const response = await api.call('POST', '/api/downloads', { files, hosts });
    expect(response.statusCode).toBe(400);
    expect(response.json<Problem>().detail).toContain('100 files on 10001 hosts are 1000100 downloads');
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

  it('sees a change by another process within about a second', async () => {
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
