import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest, sha256OfFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { hubOf } from './hub-of.ts';

describe('from a request to a verified file', () => {
  /** Of each model. */
  const made = Object.fromEntries(
    ['sample', 'twice', 'there', 'deleted'].map((name) => [
      name,
      [sampleFile(`${name}.bin`, 20 * MIB), sampleFile(`${name}.json`, 3000)],
    ]),
  );
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    origin = await startOrigin(hubOf(Object.values(made).flat()));
    system = await startSystem({ origin });
    for (const [name, files] of Object.entries(made)) await system.client.publishVersion(sampleManifest(name, files));
  });

  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  it('SY1 SY2 SY3 CH3 brings a model of two files to a host and tells how', async () => {
    const { downloads } = await system.client.createDownloads({ model: 'sample', host: 'host-a' });
    expect(downloads).toHaveLength(2);

    for (const { id } of downloads) {
      const done = await system.awaitDownload(id, (download) => download.status === 'success');
      const file = made['sample']!.find(({ path }) => path === done.file)!;
      expect(done).toMatchObject({
        outcome: 'secondary_success',
        verified: true,
        sha256: file.sha256,
        bytes: file.content.size,
      });
      expect(done.source).toContain('acme/sample@main');
      expect(done.tries.length).toBeGreaterThan(0);
      expect(await sha256OfFile(done.path!)).toBe(file.sha256);
      expect(done.path).toContain(system.homeOf('host-a'));
    }
  });

  it('K22 RE11 CH8 the same request twice at once is one transfer', async () => {
    const ask = () => system.client.createDownloads({ model: 'twice', host: 'host-a' });
    const [first, second] = await Promise.all([ask(), ask()]);
    expect(second.downloads.map(({ id }) => id).sort()).toEqual(first.downloads.map(({ id }) => id).sort());

    for (const { id } of first.downloads) await system.awaitDownload(id, (download) => download.status === 'success');
    const sent = origin.requests
      .filter(({ path }) => path.includes('/twice.'))
      .reduce((sum, { bytesSent }) => sum + bytesSent, 0);
    expect(sent).toBe(made['twice']!.reduce((sum, { content }) => sum + content.size, 0));
  });

  it('CH4 CH8 a model that is there already answers at once, and a new request for its bytes fetches nothing', async () => {
    const first = await system.client.createDownloads({ model: 'there', host: 'host-a' });
    for (const { id } of first.downloads) await system.awaitDownload(id, (download) => download.status === 'success');
    const requests = origin.requests.length;

    await system.client.publishVersion(sampleManifest('other-name', made['there']!));
    const again = await system.client.createDownloads({ model: 'other-name', host: 'host-a' });
    for (const { id } of again.downloads) {
      const done = await system.awaitDownload(id, (download) => download.status === 'success');
      expect(done.outcome).toBe('cache_hit');
    }
    expect(origin.requests).toHaveLength(requests);
  });

  it('CH8 a file that was deleted on its host is fetched again, because the host is asked', async () => {
    const first = await system.client.createDownloads({ model: 'deleted', host: 'host-a' });
    const done = [];
    for (const { id } of first.downloads)
      done.push(await system.awaitDownload(id, (download) => download.status === 'success'));
    const { path, sha256, file } = done[0]!;
    const blobs = join(system.homeOf('host-a'), 'blobs', 'sha256');
    await Promise.all([rm(path!), rm(join(blobs, sha256!.slice(0, 2), sha256!))]);

    const again = await system.client.createDownloads({ model: 'deleted', host: 'host-a' });
    for (const { id } of again.downloads) {
      const now = await system.awaitDownload(id, (download) => download.status === 'success');
      expect(now.outcome).toBe(now.file === file ? 'secondary_success' : 'cache_hit');
    }
    expect(await sha256OfFile(path!)).toBe(sha256);
  });
});
