import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import type { NodeProcess } from '../../apps/cli/stack/node-process.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';

describe('what an operator sets while workers run', () => {
  const files = ['limited', 'of-host', 'refused'].map((name) => sampleFile(`${name}.bin`, 64 * MIB));
  let origin: Origin;
  let system: System;
  /** Runs now. */
  let worker: NodeProcess;

  beforeAll(async () => {
    origin = await startOrigin(hubOf(files));
    system = await startSystem({ origin });
    worker = system.workers[0]!;
    for (const file of files) await system.client.publishVersion(sampleManifest(file.path.replace('.bin', ''), [file]));
  });

  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  const committed = async (id: string): Promise<number> => (await system.client.getDownload(id)).bytes;
  /** With it the file takes longer than a test waits. */
  const LIMIT = 256 * KIB;
  /** Fails where more has come since a moment than the limit lets through, and what a worker reads at once. */
  const expectLimited = async (id: string, sinceMs: number): Promise<void> => {
    const bytes = await committed(id);
    expect(bytes).toBeLessThan(4 * MIB + (LIMIT * (performance.now() - sinceMs)) / 1000);
  };

  it('EX2 the limit of a download is changed while it runs', async () => {
    const request = { model: 'limited', host: 'host-a', limitBytesPerSecond: LIMIT };
    const since = performance.now();
    const { id } = (await system.client.createDownloads(request)).downloads[0]!;
    await until(async () => (await committed(id)) > 0, { what: 'the first bytes' });
    await expectLimited(id, since);

    await system.client.limitDownload(id, null);
    await system.awaitDownload(id, ({ status }) => status === 'success');
  });

  it('EX2 the limits of a host and of a source are changed while they hold a download back', async () => {
    await until(async () => (await system.client.listHosts()).some(({ name }) => name === 'host-a'), {
      what: 'the host is known',
    });
    const site = `127.0.0.1:${origin.port}`;
    await system.client.limitHost('host-a', { workerBytesPerSecond: LIMIT, sources: { [site]: 64 * MIB } });
    const since = performance.now();
    const { id } = (await system.client.createDownloads({ model: 'of-host', host: 'host-a' })).downloads[0]!;
    await until(async () => (await committed(id)) > 0, { what: 'the first bytes' });
    await expectLimited(id, since);

    // The worker that is killed and started again has the limit of its host before its first byte.
    await system.kill(worker);
    worker = await system.startWorker('host-a');
    const before = await committed(id);
    await until(async () => (await committed(id)) > before, { what: 'bytes again' });
    await expectLimited(id, since);

    const set = await system.client.limitHost('host-a', { workerBytesPerSecond: null });
    expect(set).toEqual({ host: 'host-a', workerBytesPerSecond: null, sources: { [site]: 64 * MIB } });
    await system.awaitDownload(id, ({ status }) => status === 'success');
  });

  it('ME5 M13 a disabled source is not asked, also by a worker that starts later, until it is enabled', async () => {
    const before = origin.requests.length;
    const call = async (path: string, body?: object): Promise<unknown> => {
      const headers = { authorization: `Bearer ${system.token}`, 'content-type': 'application/json' };
      const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
      return (await fetch(`${system.apiUrl}${path}`, { headers, ...init })).json();
    };
    const id = Buffer.from(origin.url).toString('base64url');
    const known = async (): Promise<boolean> => 'origin' in ((await call(`/api/sources/${id}`)) as object);
    await until(known, { what: 'the worker reported its sources' });
    expect(await call(`/api/sources/${id}/disable`, { note: 'under repair' })).toMatchObject({ state: 'disabled' });
    await system.kill(worker);
    worker = await system.startWorker('host-a');
    const { downloads } = await system.client.createDownloads({ model: 'refused', host: 'host-a' });
    const waiting = await system.awaitDownload(downloads[0]!.id, ({ reason }) => reason === 'sources_unavailable');
    expect(waiting.message).toContain('was disabled by an operator: under repair');
    expect(origin.requests).toHaveLength(before);

    expect(await call(`/api/sources/${id}/enable`, {})).toMatchObject({ disabled: null });
    // The running worker reads it within seconds, and each resume is one more attempt with it.
    await until(
      async () => {
        const { status } = await system.client.getDownload(downloads[0]!.id);
        if (status === 'paused') await call(`/api/downloads/${downloads[0]!.id}/resume`, {});
        return status === 'success';
      },
      { what: 'the download after the source was enabled' },
    );
  });

  it('EX2 refuses a limit that is no rate, and names the field', async () => {
    const { id } = (await system.client.createDownloads({ model: 'limited', host: 'host-a' })).downloads[0]!;
    await expect(system.client.limitDownload(id, 0)).rejects.toMatchObject({
      status: 400,
      problem: { errors: [expect.objectContaining({ pointer: '/bytesPerSecond' })] },
    });
  });
});
