import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AuditEntry, AuditList } from '#contracts/http/access/audit';
import type { DownloadRequest } from '#contracts/http/downloads';
import type { NewToken } from '#contracts/http/access/tokens';
import { DAY_MS } from '#core/units';
import { keepAudit } from '../../../../apps/api/background/reconciler.ts';
import { startApp, type TestApp } from '../start-app.ts';

const SHA256 = 'b'.repeat(64);

describe('the audit', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await startApp();
    await api.call('POST', '/api/models', {
      name: 'm',
      version: '1',
      files: [{ path: 'a.bin', sizeBytes: 9, sha256: SHA256 }],
    });
  });
  afterAll(() => api.stop());

  const admin = () => ({ authorization: `Bearer ${api.tokens.admin}` });
  const read = async (query = ''): Promise<AuditEntry[]> =>
    (await api.call('GET', `/api/audit?limit=500${query}`, undefined, admin())).json<AuditList>().entries;

  it('T04 has every write with token, action, target, place, request and what changed', async () => {
    const created = await api.call('POST', '/api/downloads', { model: 'm', host: 'gpu-1' });
    const { id } = created.json<DownloadRequest>().downloads[0]!;
    const paused = await api.call('POST', `/api/downloads/${id}/pause`);
    const [pausing, creating] = await read();
    expect(creating).toMatchObject({
      ...{ actor: 'test write', action: 'createDownloads', method: 'POST', path: '/api/downloads', status: 202 },
      ...{ target: `downloads/${id}`, ip: '127.0.0.1', result: 'done' },
      request: { body: { model: 'm', host: 'gpu-1' } },
    });
    expect(pausing).toMatchObject({
      ...{ action: 'pauseDownload', target: `downloads/${id}`, requestId: paused.headers.get('x-request-id') },
      ...{ before: { status: 'pending' }, after: { status: 'paused' }, result: 'done' },
    });
  });

  it('T04 has refused writes with the reason, and no reads', async () => {
    const before = (await read()).length;
    await api.call('GET', '/api/downloads');
    await api.call('POST', '/api/downloads', { nothing: true });
    await api.call('POST', '/api/models', {}, { authorization: `Bearer ${api.tokens.read}` });
    await api.call('POST', '/api/downloads/00000000-0000-4000-8000-000000000000/cancel');
    await api.call('POST', '/api/rollouts?dryRun=true', { models: ['m'], selector: '', allowEmpty: true });
    const entries = await read();
    expect(
      entries.slice(0, entries.length - before).map(({ actor, action, result }) => [actor, action, result]),
    ).toEqual([
      ['test write', 'cancelDownload', 'unknown-download'],
      ['test read', 'publishModel', 'forbidden'],
      ['test write', 'createDownloads', 'invalid-request'],
    ]);
  });

  it('T04 is found by token, action, target, result and time, page by page', async () => {
    for (const site of ['a', 'b', 'c']) await api.call('PATCH', '/api/hosts/gpu-none/labels', { site });
    const found = await read('&target=hosts/gpu-none&action=labelHost&result=unknown-host&actor=test%20write');
    expect(found.map(({ request }) => (request as { body: { site: string } }).body.site)).toEqual(['c', 'b', 'a']);
    const first = (await api.call('GET', '/api/audit?target=hosts/&limit=2', undefined, admin())).json<AuditList>();
    const rest = `/api/audit?target=hosts/&limit=2&cursor=${first.nextCursor}`;
    const second = (await api.call('GET', rest, undefined, admin())).json<AuditList>();
    expect([...first.entries, ...second.entries]).toEqual(found);
    expect(second.nextCursor).toBeNull();
    expect(await read(`&since=${new Date(Date.now() + 60_000).toISOString()}`)).toEqual([]);
    expect(await read(`&requestId=${found[0]!.requestId}`)).toEqual([found[0]]);
  });

  it('T05 shows no secret that was sent or made', async () => {
    const made = (
      await api.call('POST', '/api/tokens', { name: 'secretive', scopes: ['read'] }, admin())
    ).json<NewToken>();
    await api.call('POST', '/api/downloads', {
      files: [
        {
          path: 'x',
          sha256: SHA256,
          password: 'hunter2',
          sources: [{ kind: 'mirror', url: 'https://u:pw1@h.example/x?sig=s3cr3t' }],
        },
      ],
      note: 'hf_abcdefghijklmnop',
    });
    const text = JSON.stringify(await read());
    for (const secret of [made.token, 'hunter2', 'pw1', 's3cr3t', 'hf_abcdefghijklmnop'])
      expect(text).not.toContain(secret);
    expect(text).toContain('https://…@h.example/x?…');
  });

  it('T04 keeps the row of a write whose process ended before its answer, and lets no row be changed', async () => {
    const { pool } = api.deps.database;
    await pool.query(
      `INSERT INTO audit (at, actor, action, request_id) VALUES (now(), 'killed', 'createRollout', 'r-killed')`,
    );
    expect(await read('&actor=killed')).toMatchObject([{ status: null, result: 'unknown', requestId: 'r-killed' }]);
    expect(await read('&result=unknown')).toHaveLength(1);
    const change = (sql: string) => expect(pool.query(sql)).rejects.toThrow('rows of the audit are only added');
    await change(`UPDATE audit SET actor = 'other' WHERE actor = 'killed'`);
    await change(`UPDATE audit SET result = 'done' WHERE result = 'forbidden'`);
    await change('DELETE FROM audit');
  });

  it('T21 drops whole days that are older than what is kept, oldest first, one in each round', async () => {
    const { pool } = api.deps.database;
    await pool.query(
      'ALTER TABLE audit DISABLE TRIGGER audit_append_only; DELETE FROM audit; ALTER TABLE audit ENABLE TRIGGER audit_append_only',
    );
    const today = new Date('2026-11-30T12:00:00Z');
    for (const [daysAgo, hour] of [
      [12, 0],
      [12, 23],
      [11, 5],
      [10, 23],
      [9, 12],
      [0, 1],
    ] as const) {
      const midnight = Date.parse('2026-11-30T00:00:00Z') - daysAgo * DAY_MS;
      await pool.query(`INSERT INTO audit (at, actor, action) VALUES ($1, $2, 'x')`, [
        new Date(midnight + hour * 3_600_000),
        `${daysAgo} days ago`,
      ]);
    }
    const left = async (): Promise<string[]> =>
      (await pool.query<{ actor: string }>('SELECT actor FROM audit ORDER BY sequence')).rows.map(({ actor }) => actor);
    const keep = () => keepAudit({ ...api.deps, now: () => today }, 10 * DAY_MS);
    expect(await keep()).toBe(true);
    expect(await left()).toEqual(['11 days ago', '10 days ago', '9 days ago', '0 days ago']);
    expect(await keep()).toBe(true);
    expect(await left()).toEqual(['10 days ago', '9 days ago', '0 days ago']);
    expect(await keep()).toBe(false);
    expect(await left()).toHaveLength(3);
    await expect(pool.query('DELETE FROM audit')).rejects.toThrow('rows of the audit are only added');
  });
});
