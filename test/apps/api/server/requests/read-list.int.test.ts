import { afterEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { connect } from '#database/sql/connect';
import { startApp, type TestApp } from '../../start-app.ts';

describe('a list of a read replica', () => {
  const LISTS = ['/api/downloads', '/api/hosts', '/api/rollouts', '/api/metrics/downloads', '/api/metrics/summary'];
  let api: TestApp;
  afterEach(() => api.stop());

  const reader = { beat: async () => undefined, close: async () => undefined };

  it.each(LISTS)('J11 says in a header how many seconds it may be old: %s', async (path) => {
    api = await startApp({ lists: (database) => ({ ...reader, source: async () => ({ database, ageMs: 1_200 }) }) });
    const answer = await api.call('GET', path);
    expect([answer.statusCode, answer.headers.get('haulier-data-age')]).toEqual([200, '2']);
  });

  it('J11 has no such header where it comes from the database itself', async () => {
    api = await startApp();
    expect((await api.call('GET', '/api/downloads')).headers.get('haulier-data-age')).toBeNull();
  });

  it('J11 comes from the database itself where the replica dies in the middle', async () => {
    const gone = connect({ url: 'postgresql://127.0.0.1:1/gone', poolSize: 1, logger: silentLogger });
    api = await startApp({ lists: () => ({ ...reader, source: async () => ({ database: gone, ageMs: 0 }) }) });
    const answer = await api.call('GET', '/api/hosts');
    expect([answer.statusCode, answer.headers.get('haulier-data-age')]).toEqual([200, null]);
    await gone.close();
  });

  it('J11 leaves out the replica where downloads are asked for by name', async () => {
    api = await startApp({ lists: (database) => ({ ...reader, source: async () => ({ database, ageMs: 0 }) }) });
    const body = { files: [{ path: 'a.bin', sizeBytes: 1, sha256: 'a'.repeat(64) }] };
    const made = await api.call('POST', '/api/downloads', body);
    const { id } = made.json<{ downloads: { id: string }[] }>().downloads[0]!;
    const answer = await api.call('GET', `/api/downloads?id=${id}`);
    expect([answer.statusCode, answer.headers.get('haulier-data-age')]).toEqual([200, null]);
  });
});
