import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DownloadList, DownloadRequest } from '#contracts/http/downloads';
import type { Problem } from '#contracts/http/problem';
import { applyEvents } from '#database/history/event-queries';
import { batch } from '../../../packages/database/fixtures.ts';
import { startApp, type TestApp } from '../start-app.ts';

describe('POST /api/downloads for hosts', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await startApp();
  });
  afterAll(() => api.stop());

  const file = (name: string) => ({
    ...{ path: `${name}.bin`, sizeBytes: name.length },
    sha256: createHash('sha256').update(name).digest('hex'),
  });
  const createOne = async (name: string, more: object) =>
    (await api.call('POST', '/api/downloads', { files: [file(name)], ...more })).json<DownloadRequest>().downloads[0]!;

  it('N41 refuses a host that no worker reported from, and names those that are spelled alike', async () => {
    await applyEvents(api.deps.database, [batch([], { host: 'gpu-017' })], new Date());
    const body = { files: [file('typo')], allowUnknown: false };
    const refused = await api.call('POST', '/api/downloads', { ...body, host: 'gpu-071' });
    expect(refused.statusCode).toBe(404);
    expect(refused.json<Problem>()).toMatchObject({
      code: 'unknown-host',
      detail: expect.stringMatching(/no host "gpu-071" was ever heard of; did you mean gpu-017\?.*allowUnknown: true/),
      errors: [{ pointer: '/host', value: 'gpu-071' }],
    });
    const several = await api.call('POST', '/api/downloads', { ...body, hosts: ['gpu-017', 'gpu-17', 'elsewhere'] });
    expect(several.json<Problem>().errors).toEqual([
      { pointer: '/hosts/1', value: 'gpu-17', detail: expect.stringContaining('did you mean gpu-017?') },
      { pointer: '/hosts/2', value: 'elsewhere', detail: expect.stringContaining('GET /api/hosts lists them') },
    ]);
    expect((await api.call('GET', '/api/downloads?host=gpu-017')).json<DownloadList>().downloads).toEqual([]);
    expect(await createOne('typo', { host: 'gpu-071', allowUnknown: true })).toMatchObject({ host: 'gpu-071' });
    expect(await createOne('typo', { host: 'GPU-017', allowUnknown: false })).toMatchObject({ host: 'gpu-017' });
  });
});
