import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Download, DownloadRequest } from '#contracts/http/downloads';
import type { Problem } from '#contracts/http/problem';
import type { Host, SystemStatus } from '#contracts/http/status';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import { MINUTE_MS } from '#core/units';
import { recordBatches } from '../../../../apps/api/background/recorder.ts';
import { relayAll } from '../../../../apps/api/background/relay.ts';
import { startApp, type TestApp } from '../start-app.ts';

describe('hosts', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await startApp();
  });
  afterAll(() => api.stop());

  const tell = (host: string, events: WorkerEvent[]) =>
    recordBatches(api.deps, [{ version: 1, host, bootId: randomUUID(), sequence: 0, sentAt: Date.now(), events }]);
  const report = (more: object = {}): WorkerEvent => ({
    ...{ type: 'host.report', at: Date.now(), inventoryDigest: 'd', storeBytes: 3e9, freeBytes: 7e9, fileCount: 12 },
    workerVersion: '1.2.3',
    ...more,
  });
  const hosts = async (): Promise<Host[]> => (await api.call('GET', '/api/hosts')).json<{ hosts: Host[] }>().hosts;
  const status = async (): Promise<SystemStatus> => (await api.call('GET', '/api/status')).json();
  const get = async (id: string): Promise<Download> => (await api.call('GET', `/api/downloads/${id}`)).json();

  it('are listed by name with their last report, and are offline without recent events', async () => {
    expect(await hosts()).toEqual([]);
    await tell('gpu-2', [report({ fileCount: 1 }), report({ at: Date.now() + 1, fileCount: 2 })]);
    await tell('gpu-1', [report()]);
    await api.deps.database.pool.query(`UPDATE hosts SET last_seen_at = $1 WHERE name = 'gpu-2'`, [
      new Date(Date.now() - 3 * MINUTE_MS),
    ]);
    const [first, second, ...others] = await hosts();
    expect(others).toEqual([]);
    expect(first).toEqual({
      ...{ name: 'gpu-1', status: 'online', lastSeenAt: expect.any(String), createdAt: expect.any(String) },
      ...{ workerVersion: '1.2.3', storeBytes: 3e9, freeBytes: 7e9, memoryBytes: null, fileCount: 12 },
      ...{
        draining: false,
        enrolment: 'none',
        setLabels: {},
        workerLabels: {},
        labels: { 'haulier.io/worker-version': '1.2.3' },
      },
    });
    expect(second).toMatchObject({ name: 'gpu-2', status: 'offline', fileCount: 2 });
  });

  it('VE5 M06 whose store is too full are named in the status once, with their latest warning', async () => {
    const warning = (message: string, at: number): WorkerEvent => ({
      ...{ type: 'host.notice', at, notice: 'store_over_limit', model: null, path: null, message, facts: {} },
    });
    await tell('gpu-1', [warning('2.1 GB of 2 GB', Date.now() - 1000)]);
    await tell('gpu-1', [warning('2.5 GB of 2 GB', Date.now())]);
    const { storeWarnings, notices } = await status();
    expect(storeWarnings).toEqual([{ host: 'gpu-1', at: expect.any(String), message: '2.5 GB of 2 GB' }]);
    expect(notices.map(({ notice }) => notice)).toEqual(['store_over_limit', 'store_over_limit']);
    const { body } = await api.call('GET', '/metrics');
    expect(body).toContain('haulier_hosts_over_store_limit 1');
    expect(body).toContain('haulier_store_bytes 6000000000');
  });

  it('that never reported are named as such by the downloads that wait for them', async () => {
    const files = [{ path: 'a.bin', sizeBytes: 1, sha256: 'a'.repeat(64) }];
    const made = await api.call('POST', '/api/downloads', { files, hosts: ['gpu-1', 'gpu-x'] });
    const [known, unknown] = made.json<DownloadRequest>().downloads;
    await relayAll(api.deps);
    expect(await get(known!.id)).toMatchObject({ reason: 'queued', message: 'it waits for the worker of gpu-1' });
    const waiting = await get(unknown!.id);
    expect(waiting).toMatchObject({ status: 'pending', reason: 'host_unknown' });
    expect(waiting.message).toBe(
      'no worker of gpu-x has reported yet: check the name, or start one with HAULIER_HOST=gpu-x',
    );
    await tell('gpu-x', [report()]);
    const later = await get(unknown!.id);
    expect(later.reason).toBe('queued');
    expect(later.version).not.toBe(waiting.version);
  });

  it('can be asked to verify only when they are known', async () => {
    const refused = await api.call('POST', '/api/hosts/nobody/verify', {});
    expect([refused.statusCode, refused.json<Problem>().code]).toEqual([404, 'unknown-host']);
    const taken = await api.call('POST', '/api/hosts/gpu-1/verify', { model: 'whisper' });
    expect([taken.statusCode, taken.json()]).toMatchObject([202, { host: 'gpu-1', model: 'whisper' }]);
  });

  it('N40 have a name in the case that their worker writes, which is compared without case', async () => {
    await tell('GPU_Rack-01', [report()]);
    const shown = (await api.call('GET', '/api/hosts/gpu_rack-01')).json<Host>();
    expect(shown).toMatchObject({ name: 'GPU_Rack-01', status: 'online' });
    expect((await hosts()).map(({ name }) => name)).toContain('GPU_Rack-01');
    expect((await api.call('PATCH', '/api/hosts/GPU_RACK-01/labels', { rack: '1' })).json<Host>()).toMatchObject({
      ...{ name: 'GPU_Rack-01', setLabels: { rack: '1' } },
    });
    const files = [{ path: 'case.bin', sizeBytes: 1, sha256: 'b'.repeat(64) }];
    const ask = async (host: string) =>
      (await api.call('POST', '/api/downloads', { files, host, allowUnknown: false })).json<DownloadRequest>();
    const [first, second] = [await ask('gpu_rack-01'), await ask('GPU_RACK-01')];
    expect(first.downloads[0]).toMatchObject({ host: 'GPU_Rack-01' });
    expect(second).toMatchObject({ request: { created: 0, existing: 1 }, downloads: [{ id: first.downloads[0]!.id }] });
    await relayAll(api.deps);
    expect(await get(first.downloads[0]!.id)).toMatchObject({ message: 'it waits for the worker of GPU_Rack-01' });
    const at = Date.now();
    await tell('gpu_RACK-01', [
      { type: 'download.started', downloadId: first.downloads[0]!.id, generation: 1, at, attempt: 1, resumedBytes: 0 },
    ]);
    expect(await get(first.downloads[0]!.id)).toMatchObject({ status: 'in_progress', host: 'gpu_RACK-01' });
    const named = (await hosts()).filter(({ name }) => name.toLowerCase() === 'gpu_rack-01');
    expect(named.map(({ name }) => name)).toEqual(['gpu_RACK-01']);
  });

  it.each(['gpu 1', '-gpu', 'gpu/1', 'g\u00e4nsehaut', 'x'.repeat(101)])(
    'N40 are refused with the name "%s"',
    async (host) => {
      const files = [{ path: 'a.bin', sizeBytes: 1, sha256: 'a'.repeat(64) }];
      const refused = await api.call('POST', '/api/downloads', { files, host });
      expect([refused.statusCode, refused.json<Problem>().detail]).toEqual([
        400,
        expect.stringContaining('a host name is'),
      ]);
    },
  );
});
