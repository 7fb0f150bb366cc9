import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DownloadRequest } from '#contracts/http/downloads';
import type { Model, ModelDetail, VersionDetail } from '#contracts/http/models';
import type { Problem } from '#contracts/http/problem';
import { applyEvents } from '#database/history/event-queries';
import { batch } from '../../../packages/database/fixtures.ts';
import { startApp } from '../start-app.ts';
import type { TestApp } from '../start-app.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startApp();
});
afterAll(() => api.stop());

const manifest = (version: string, more: object = {}) => ({
  name: 'whisper',
  type: 'stt',
  version,
  files: [{ path: 'onnx/model.onnx', sizeBytes: 5, sha256: 'A'.repeat(64) }],
  ...more,
});

describe('models', () => {
  it('VE1 publishes a version once, answers the same manifest again, and refuses other content', async () => {
    const first = await api.call('POST', '/api/models', manifest('1'));
    expect(first.statusCode).toBe(201);
    expect(first.headers.get('location')).toBe('/api/models/whisper/versions/1');
    expect(first.json<VersionDetail>().manifest.files[0]!.sha256).toBe('a'.repeat(64));
    expect((await api.call('POST', '/api/models/whisper/versions', manifest('1'))).statusCode).toBe(200);
    const other = await api.call('POST', '/api/models', manifest('1', { type: 'tts' }));
    expect([other.statusCode, other.json<Problem>().code]).toEqual([409, 'version-exists']);
  });

  it('lists models and versions, newest first', async () => {
    await api.call('POST', '/api/models', manifest('2'));
    const detail = (await api.call('GET', '/api/models/whisper')).json<ModelDetail>();
    expect(detail).toMatchObject({ currentVersion: '2', pinnedVersion: null, type: 'stt' });
    expect(detail.versions.map((version) => version.version)).toEqual(['2', '1']);
    const { versions } = (await api.call('GET', '/api/models/whisper/versions')).json<ModelDetail>();
    expect(versions).toHaveLength(2);
    const { models } = (await api.call('GET', '/api/models')).json<{ models: Model[] }>();
    expect(models.map((model) => model.name)).toEqual(['whisper']);
  });

  it('answers 304 when the client has the manifest already', async () => {
    const response = await api.call('GET', '/api/models/whisper/versions/1');
    const etag = response.headers.get('etag')!;
    expect(etag).toBe(`"${response.json<VersionDetail>().digest}"`);
    const again = await api.call('GET', '/api/models/whisper/versions/1', undefined, { 'if-none-match': etag });
    expect([again.statusCode, again.body]).toEqual([304, '']);
  });

  it('VE6 gives the pinned version to requests without a version, until it is unpinned', async () => {
    expect((await api.call('POST', '/api/models/whisper/pin', { version: '1' })).json<Model>().pinnedVersion).toBe('1');
    await api.call('POST', '/api/models', manifest('3'));
    const pinned = (await api.call('POST', '/api/downloads', { model: 'whisper', host: 'a' })).json<DownloadRequest>();
    expect(pinned.request.version).toBe('1');
    expect((await api.call('POST', '/api/models/whisper/unpin')).json<Model>().pinnedVersion).toBeNull();
    const free = (await api.call('POST', '/api/downloads', { model: 'whisper', host: 'b' })).json<DownloadRequest>();
    expect(free.request.version).toBe('3');
  });

  it('VE2 flags a newer version that a check found', async () => {
    const answer = {
      model: 'whisper',
      source: 'huggingface' as const,
      current: '3',
      available: '4',
      newer: true,
      error: null,
    };
    const said = batch([{ type: 'version.checked', at: Date.now(), ...answer }]);
    await applyEvents(api.deps.database, [said], new Date());
    expect((await api.call('GET', '/api/models/whisper')).json<ModelDetail>().newerVersion).toBe('4');
    const status = (await api.call('GET', '/api/status')).json<{ newerVersions: unknown[] }>();
    expect(status.newerVersions).toEqual([{ model: 'whisper', current: '3', newer: '4' }]);
  });

  it.each([
    ['GET', '/api/models/nobody', undefined, 404],
    ['GET', '/api/models/NOBODY', undefined, 400],
    ['GET', '/api/models/nobody/versions', undefined, 404],
    ['GET', '/api/models/whisper/versions/99', undefined, 404],
    ['POST', '/api/models/whisper/pin', { version: '99' }, 404],
    ['POST', '/api/models/whisper/pin', {}, 400],
    ['POST', '/api/models/nobody/unpin', undefined, 404],
    ['POST', '/api/models/other/versions', manifest('9'), 400],
    ['POST', '/api/models', manifest('9', { schema: 'haulier.manifest/v9' }), 400],
    ['POST', '/api/models', manifest('9', { files: [] }), 400],
    ['POST', '/api/models', manifest('9', { files: [{ path: 'a', sha256: 'xyz', sizeBytes: -1 }] }), 400],
  ])('K10 K11 K14 answers bad input to %s %s with a problem (%#)', async (method, url, body, status) => {
    const response = await api.call(method, url, body);
    expect(response.statusCode).toBe(status);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(response.json<Problem>().status).toBe(status);
  });
});
