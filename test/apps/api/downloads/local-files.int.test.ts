import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Problem } from '#contracts/http/problem';
import { startApp, type TestApp } from '../start-app.ts';

describe('a file of the worker', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await startApp();
  });
  afterAll(() => api.stop());

  const sources = [{ kind: 'mirror', url: 'file:///etc/passwd' }];
  const file = { path: 'stolen.bin', sha256: 'a'.repeat(64) };

  it.each([
    ['of a download', '/api/downloads', { files: [{ ...file, sources }] }, '/files/0/sources/0/url'],
    [
      'of a file of a manifest',
      '/api/models',
      { name: 'thief', version: '1', files: [{ ...file, sources }] },
      '/files/0/sources/0/url',
    ],
    ['of a manifest', '/api/models', { name: 'thief', version: '1', files: [file], sources }, '/sources/0/url'],
  ])('is no source %s in a request', async (_what, path, body, pointer) => {
    const response = await api.call('POST', path, body);
    expect(response.statusCode).toBe(400);
    expect(response.json<Problem>().errors).toContainEqual(
      expect.objectContaining({ pointer, detail: 'write an http:// or https:// URL' }),
    );
  });
});
