import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DownloadDetail } from '#contracts/http/downloads';
import { MIB } from '#core/units';
import { makeDag } from '../helpers/dag/dag.ts';
import { sha256Of, someBytes } from '../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest, sha256OfFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';

const LEAF_BYTES = MIB;

const isRepaired = ({ status, tries }: DownloadDetail): boolean =>
  status === 'success' && tries.some(({ generation }) => generation === 2);

describe('a published file that is damaged on disk', () => {
  const file = sampleFile('model.bin', 20 * MIB);
  let origin: Origin;
  let system: System;

  beforeEach(async () => {
    origin = await startOrigin(hubOf([file]));
    system = await startSystem({ origin });
  });

  afterEach(async () => {
    await system.stop();
    await origin.close();
  });

  const publishSample = async (): Promise<{ id: string; path: string }> => {
    await system.client.publishVersion(sampleManifest('sample', [file]));
    const { downloads } = await system.client.createDownloads({ model: 'sample', host: 'host-a' });
    const done = await system.awaitDownload(downloads[0]!.id, (download) => download.status === 'success');
    return { id: done.id, path: done.path! };
  };

  /** Changes bytes in place, as a bad disk does. */
  const corrupt = async (path: string, position: number): Promise<void> => {
    const handle = await open(path, 'r+');
    await handle.write(Buffer.from('rotten'), 0, 6, position);
    await handle.close();
  };

  const sent = (): number => origin.requests.reduce((sum, request) => sum + request.bytesSent, 0);

  it('VE3 CH4 is found on request, quarantined, and repaired by fetching only its bad leaf', async () => {
    const { id, path } = await publishSample();
    await corrupt(path, 7 * MIB + 5);
    const before = sent();

    await system.client.verifyHost('host-a', 'sample');
    await system.awaitDownload(id, isRepaired);

    expect(await sha256OfFile(path)).toBe(file.sha256);
    expect(sent() - before).toBeGreaterThan(0);
    expect(sent() - before).toBeLessThanOrEqual(LEAF_BYTES);
    const { notices } = await system.client.getStatus();
    expect(notices).toContainEqual(
      expect.objectContaining({ notice: 'corrupt', host: 'host-a', model: 'sample', path: 'model.bin' }),
    );
  });

  it('is found by a worker that was offline when the order was given', async () => {
    const { id, path } = await publishSample();
    await system.workers[0]!.stop();
    await corrupt(path, 3 * MIB);

    await system.client.verifyHost('host-a');
    await system.startWorker('host-a');

    await system.awaitDownload(id, isRepaired);
    expect(await sha256OfFile(path)).toBe(file.sha256);
  });

  it('is queued again when it was deleted while the worker was down', async () => {
    const { id, path } = await publishSample();
    await system.workers[0]!.stop();
    await rm(join(system.homeOf('host-a'), 'blobs'), { recursive: true });
    await rm(path);

    await system.startWorker('host-a');

    await system.awaitDownload(id, isRepaired);
    expect((await stat(path)).size).toBe(file.content.size);
    const hosts = await system.client.listHosts();
    await until(async () => (await system.client.listHosts())[0]?.fileCount === 1, {
      what: 'the host reports its file',
    });
    expect(hosts[0]).toMatchObject({ name: 'host-a', status: 'online' });
  });

  it('VE3 is repaired by its bad leaf alone also when only its CID is known, without asking for the table again', async () => {
    const bytes = someBytes(5 * MIB);
    const dag = await makeDag(bytes, { chunkBytes: MIB / 4 });
    origin.serve({ ipfs: { [dag.cid]: bytes }, blocks: dag.blocks });
    await system.client.publishVersion({ name: 'pinned', version: '1', files: [{ path: 'a.bin', cid: dag.cid }] });
    const { downloads } = await system.client.createDownloads({ model: 'pinned', host: 'host-a' });
    const { id, path } = await system.awaitDownload(downloads[0]!.id, ({ status }) => status === 'success');
    await corrupt(path!, 3 * MIB + 1);
    const before = { bytes: sent(), requests: origin.requests.length };

    await system.client.verifyHost('host-a', 'pinned');
    await system.awaitDownload(id, isRepaired);

    expect(await sha256OfFile(path!)).toBe(sha256Of(bytes));
    expect(sent() - before.bytes).toBe(MIB / 4);
    expect(origin.requests.slice(before.requests).filter((one) => one.path.includes('format=raw'))).toEqual([]);
  });
});
