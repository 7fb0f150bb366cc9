import { chmod, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DownloadDetail } from '#contracts/http/downloads';
import { MIB } from '#core/units';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest, sha256OfFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';

describe('a published file that another program touches while the worker runs', () => {
  const file = sampleFile('model.bin', 2 * MIB);
  const config = sampleFile('config.json', 100);
  let origin: Origin;
  let system: System;
  let path: string;
  let id: string;

  beforeAll(async () => {
    origin = await startOrigin(hubOf([file, config]));
    system = await startSystem({ origin });
    await system.client.publishVersion(sampleManifest('sample', [file, config]));
    const { downloads } = await system.client.createDownloads({ model: 'sample', host: 'host-a' });
    for (const one of downloads) await system.awaitDownload(one.id, ({ status }) => status === 'success');
    id = downloads.find((one) => one.file === 'model.bin')!.id;
    path = (await system.awaitDownload(id, () => true)).path!;
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  const generation = async (): Promise<number> =>
    Math.max(...(await system.client.getDownload(id)).tries.map((one) => one.generation));
  const isWhole = async (): Promise<boolean> => (await sha256OfFile(path).catch(() => '')) === file.sha256;
  const noticed = (notice: string) =>
    until(
      async () =>
        (await system.client.getStatus()).notices.some((one) => one.notice === notice && one.path === 'model.bin'),
      { what: `a notice "${notice}"` },
    );

  it('G30 is shown again from the store within a minute, without a transfer', async () => {
    const before = origin.requests.length;
    await unlink(path);
    await until(isWhole, { what: 'the file is there again' });
    await noticed('repaired');
    expect(origin.requests).toHaveLength(before);
    expect((await system.client.getDownload(id)).status).toBe('success');
  });

  it('G31 N25 is fetched again within a minute when the store lost it too', async () => {
    await rm(join(system.homeOf('host-a'), 'blobs', 'sha256', file.sha256.slice(0, 2), file.sha256));
    await unlink(path);
    await until(isWhole, { what: 'the file is there again' });
    await noticed('missing');
    await system.awaitDownload(id, ({ status }) => status === 'success');
    expect(await generation()).toBe(2);
    expect((await system.client.getHost('host-a')).drift).toMatchObject({ missing: 0, corrupt: 0, extra: 0, old: 0 });
  });

  it('G16 N25 is repaired within a minute when bytes of it were changed', async () => {
    await chmod(path, 0o644);
    await writeFile(path, 'rotten', { flag: 'r+' });
    await noticed('corrupt');
    const isRepaired = ({ status, tries }: DownloadDetail): boolean =>
      status === 'success' && tries.some((one) => one.generation === 3);
    await system.awaitDownload(id, isRepaired);
    expect(await isWhole()).toBe(true);
  });
});
