import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DownloadDetail, DownloadRequest } from '#contracts/http/downloads';
import type { Problem } from '#contracts/http/problem';
import { startApp } from '../start-app.ts';
import type { TestApp } from '../start-app.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startApp();
});
afterAll(() => api.stop());

async function createOne(name: string, more: object = {}) {
  const sha256 = createHash('sha256').update(name).digest('hex');
  const body = { files: [{ path: `${name}.bin`, sizeBytes: name.length, sha256 }], ...more };
  return (await api.call('POST', '/api/downloads', body)).json<DownloadRequest>().downloads[0]!;
}

describe('actions on a download', () => {
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

  it('T22 refuses an action when the download stands elsewhere than its If-Match tag, whatever its progress', async () => {
    const { id } = await createOne('tagged', { host: 'gpu-9' });
    const tag = async (): Promise<string> => (await api.call('GET', `/api/downloads/${id}`)).headers.get('etag')!;
    const actIf = (name: string, ifMatch: string, body?: object) =>
      api.call('POST', `/api/downloads/${id}/${name}`, body, { 'if-match': ifMatch });
    const read = await tag();
    await api.deps.database.pool.query('UPDATE downloads SET downloaded_bytes = 3, updated_at = now() WHERE id = $1', [
      id,
    ]);
    expect(await tag()).toBe(read);
    const paused = await actIf('pause', read);
    expect([paused.statusCode, paused.headers.get('etag')]).toEqual([200, await tag()]);
    for (const [name, body] of [['pause'], ['resume'], ['cancel'], ['limit', { bytesPerSecond: 9 }]] as const) {
      const refused = await actIf(name, read, body);
      expect([name, refused.statusCode, refused.json<Problem>().code]).toEqual([name, 412, 'precondition-failed']);
    }
    expect((await api.call('GET', `/api/downloads/${id}`)).json<DownloadDetail>().status).toBe('paused');
    const limited = await actIf('limit', await tag(), { bytesPerSecond: 9 });
    expect([limited.statusCode, limited.headers.get('etag')]).toEqual([200, await tag()]);
    expect((await actIf('resume', await tag())).statusCode).toBe(200);
    expect((await actIf('cancel', '*')).statusCode).toBe(200);
  });

  it('turns a pause of the worker into a requested one', async () => {
    const { id } = await createOne('full');
    await api.deps.database.pool.query(
      `UPDATE downloads SET status = 'paused', pause_reason = 'disk_full' WHERE id = $1`,
      [id],
    );
    expect((await act(id, 'pause')).json<DownloadDetail>()).toMatchObject({ status: 'paused', reason: 'requested' });
  });

  it('refuses to resume while another download of the same file is open', async () => {
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
