import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CidRecord } from '#contracts/http/cids';
import type { DownloadList } from '#contracts/http/downloads';
import type { Problem } from '#contracts/http/problem';
import { applyEvents } from '#database/history/event-queries';
import { batch, CID, file, finished, oneDownload, SHA256 } from '../../../packages/database/fixtures.ts';
import { startApp, type TestApp } from '../start-app.ts';

describe('the contents that were downloaded', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await startApp();
    const { database } = api.deps;
    const model = { name: 'whisper', type: 'stt', version: '1' };
    const download = await oneDownload(database, { model, files: [file('a.bin', { cid: CID })] });
    await applyEvents(database, [batch([finished(download, 1)])], new Date());
  });
  afterAll(() => api.stop());

  it('RE14 are found by their CID, with the way to their downloads', async () => {
    const found = (await api.call('GET', `/api/cids/${CID}`)).json<CidRecord>();
    expect(found).toMatchObject({ cid: CID, model: 'whisper', type: 'stt', hash: SHA256, successCount: 1 });
    const { downloads } = (await api.call('GET', found.links.downloads)).json<DownloadList>();
    expect(downloads).toMatchObject([{ cid: CID, status: 'success' }]);
  });

  it.each([
    ['model=whisper', [CID]],
    ['model=whisper&type=stt', [CID]],
    ['model=whisper&type=tts', []],
    ['model=other', []],
  ])('RE14 are listed by %s', async (query, cids) => {
    const list = (await api.call('GET', `/api/cids?${query}`)).json<{ cids: CidRecord[] }>();
    expect(list.cids.map(({ cid }) => cid)).toEqual(cids);
  });

  it.each([
    ['/api/cids/bafynothing', 404, 'unknown-cid'],
    ['/api/cids/%00', 400, 'invalid-request'],
    ['/api/cids', 400, 'invalid-request'],
    ['/api/cids?model=whisper&limit=0', 400, 'invalid-request'],
  ])('answer bad input with a problem: %s', async (path, status, code) => {
    const refused = await api.call('GET', path);
    expect([refused.statusCode, refused.json<Problem>().code]).toEqual([status, code]);
  });
});
