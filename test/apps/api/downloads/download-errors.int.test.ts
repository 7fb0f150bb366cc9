import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DownloadErrors } from '#contracts/http/download-errors';
import type { DownloadRequest } from '#contracts/http/downloads';
import { startApp, type TestApp } from '../start-app.ts';

describe('groups of errors of downloads', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await startApp();
  });
  afterAll(() => api.stop());

  const fail = async (host: string, path: string, set: string, values: readonly unknown[]): Promise<string> => {
    const sha256 = createHash('sha256').update(path).digest('hex');
    const files = [{ path, sizeBytes: 9, sha256 }];
    const made = await api.call('POST', '/api/downloads', { files, host });
    const { id } = made.json<DownloadRequest>().downloads[0]!;
    await api.deps.database.pool.query(`UPDATE downloads SET ${set} WHERE id = $1`, [id, ...values]);
    return id;
  };
  const FAILED = `status = 'failed', error_kind = $2, error = $3, source_place = $4::jsonb, completed_at = $5`;
  const hub = JSON.stringify({ layer: 'huggingface', kind: 'huggingface', origin: 'https://hub.example' });
  const errors = async (query = ''): Promise<DownloadErrors['errors']> =>
    (await api.call('GET', `/api/downloads/errors${query}`)).json<DownloadErrors>().errors;

  it('joins what fails alike: by reason, source and message without names, paths, digests and numbers', async () => {
    const times = [1, 2, 3, 4].map((minute) => new Date(Date.UTC(2026, 10, 29, 12, minute)));
    for (const [index, host] of ['gpu-1', 'gpu-2', 'gpu-1'].entries()) {
      const path = `w/${index}.bin`;
      const text = `${path}: 40${index} of https://hub.example/a/${index}?x=1 after ${index + 1}.5 s, want ${'ab'.repeat(32)}`;
      await fail(host, path, FAILED, ['forbidden', text, hub, times[index]]);
    }
    const last = await fail('gpu-3', 'other.bin', FAILED, [
      'digest-mismatch',
      'other.bin is wrong on gpu-3',
      null,
      times[3],
    ]);
    expect(await errors()).toMatchObject([
      {
        ...{ reason: 'forbidden', source: 'https://hub.example', count: 3, hosts: ['gpu-1', 'gpu-2'] },
        message: '<file>: # of https://hub.example/… after # s, want <id>',
        ...{ firstAt: times[0]!.toISOString(), lastAt: times[2]!.toISOString() },
        sample: expect.stringContaining('402 of https://hub.example/a/2'),
      },
      {
        reason: 'digest-mismatch',
        source: null,
        message: '<file> is wrong on <host>',
        links: { last: `/api/downloads/${last}` },
      },
    ]);
    expect(await errors('?host=gpu-2')).toMatchObject([{ count: 1 }]);
    expect(await errors(`?since=${times[2]!.toISOString()}`)).toMatchObject([{ count: 1 }, { count: 1 }]);
    expect(await errors('?limit=1')).toHaveLength(1);
    expect(await errors('?model=nothing')).toEqual([]);
  });

  it('shows what waits when it is asked for, without what a person paused', async () => {
    const paused = `status = 'paused', pause_reason = $2, reason = $3`;
    await fail('gpu-7', 'p.bin', paused, ['disk_full', '41 MB free, 290 MB needed']);
    await fail('gpu-8', 'q.bin', paused, ['requested', 'paused on request']);
    expect(await errors('?status=paused')).toMatchObject([
      { reason: 'disk_full', message: '# MB free, # MB needed', hosts: ['gpu-7'] },
    ]);
    expect((await api.call('GET', '/api/downloads/errors?status=success')).statusCode).toBe(400);
  });
});
