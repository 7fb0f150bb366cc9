import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { createBundle } from '#store/models/bundle-writer';
import { wholeContent } from '../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest, sha256OfFile, type SampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { hubOf } from './hub-of.ts';

describe('without any network source', () => {
  const fetched = sampleFile('fetched.bin', MIB);
  const bundled = sampleFile('bundled.bin', 5 * MIB);
  let folder: string;
  let origin: Origin;
  let system: System;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'haulier-offline-'));
    origin = await startOrigin(hubOf([fetched]));
    const bundle = join(folder, 'models.tar');
    await writeBundle(bundle, bundled);
    system = await startSystem({ origin, env: { HAULIER_BUNDLES: bundle } });
  });
  afterEach(async () => {
    await system.stop();
    await origin.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function writeBundle(out: string, { content, sha256, path }: SampleFile): Promise<void> {
    const filePath = join(folder, path);
    await writeFile(filePath, wholeContent(content));
    const files = [{ sha256, sizeBytes: content.size, filePath }];
    await createBundle([{ manifest: { name: 'offline', version: '1' }, files }], out);
  }

  async function bring(name: string, files: readonly SampleFile[]) {
    await system.client.publishVersion(sampleManifest(name, files));
    const { downloads } = await system.client.createDownloads({ model: name, host: 'host-a' });
    return Promise.all(downloads.map(({ id }) => system.awaitDownload(id, ({ status }) => status === 'success')));
  }

  it('CH5 CH7 the cache and a bundle still answer', async () => {
    await bring('online', [fetched]);
    await origin.close();

    const done = await bring('offline', [fetched, bundled]);

    const outcomes = Object.fromEntries(done.map(({ file, outcome }) => [file, outcome]));
    expect(outcomes).toEqual({ 'fetched.bin': 'cache_hit', 'bundled.bin': 'tertiary_bundled_success' });
    for (const { path, file } of done)
      expect(await sha256OfFile(path!)).toBe([fetched, bundled].find((one) => one.path === file)!.sha256);
  });
});
