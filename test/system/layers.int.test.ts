import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CreateDownloadsInput } from '#contracts/http/downloads';
import { MIB } from '#core/units';
import { createBundle } from '#store/models/bundle-writer';
import { makeBlocks } from '../helpers/dag/dag.ts';
import { wholeContent } from '../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sha256OfFile, type SampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { hubOf } from './hub-of.ts';

const HUB = [{ kind: 'huggingface', repo: 'acme/sample', revision: 'main' } as const];

describe('the layers of the fallback chain', () => {
  const [everywhere, onHub, inBundle, nowhere] = ['everywhere', 'hub', 'bundle', 'nowhere'].map((name) =>
    sampleFile(`${name}.bin`, MIB + 7, name),
  ) as [SampleFile, SampleFile, SampleFile, SampleFile];
  const cidOf = new Map(
    [everywhere, onHub, inBundle, nowhere].map((file) => {
      const dag = makeBlocks(wholeContent(file.content), { profile: 'unixfs-v1-2025' });
      return [file, dag] as const;
    }),
  );
  let folder: string;
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'haulier-layers-'));
    const { cid, blocks } = cidOf.get(everywhere)!;
    origin = await startOrigin({ ...hubOf([everywhere, onHub]), ipfs: { [cid]: everywhere.content }, blocks });
    const bundle = join(folder, 'models.tar');
    const filePath = join(folder, inBundle.path);
    await writeFile(filePath, wholeContent(inBundle.content));
    const packed = [{ sha256: inBundle.sha256, sizeBytes: inBundle.content.size, filePath }];
    await createBundle([{ manifest: { name: 'packed', version: '1' }, files: packed }], bundle);
    system = await startSystem({ origin, env: { HAULIER_BUNDLES: bundle } });
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
    await rm(folder, { recursive: true, force: true });
  });

  type How = Pick<CreateDownloadsInput, 'layers'>;
  async function bring(file: SampleFile, how: How = {}) {
    const { path, sha256, content } = file;
    const { cid } = cidOf.get(file)!;
    const files = [{ path, sha256, cid, sizeBytes: content.size, sources: HUB }];
    const { downloads } = await system.client.createDownloads({ files, host: 'host-a', ...how });
    return system.awaitDownload(downloads[0]!.id, ({ status }) => status === 'success' || status === 'failed');
  }

  it('CH7 are asked in the order of the request, and the label says which layer gave the file', async () => {
    const fromHub = await bring(everywhere, { layers: ['huggingface', 'ipfs'] });
    expect(fromHub).toMatchObject({ outcome: 'secondary_success', status: 'success' });
    expect(origin.requests.filter(({ path }) => path.startsWith('/ipfs/') && !path.includes('format=raw'))).toEqual([]);
    expect(await bring(everywhere)).toMatchObject({ outcome: 'cache_hit', reason: 'cache_hit' });
  });

  it('CH7 are left for the next one when they do not have the file', async () => {
    const done = await bring(onHub);
    expect(done).toMatchObject({ outcome: 'secondary_success', verified: true });
    expect(await sha256OfFile(done.path!)).toBe(onHub.sha256);
    expect(done.tries.some(({ layer, status }) => layer === 'ipfs' && status === 'failure')).toBe(true);
    expect(await bring(inBundle)).toMatchObject({ outcome: 'tertiary_bundled_success', verified: true });
  });

  it('CH7 that are all exhausted give a sentence that names every source and why it failed', async () => {
    const failed = await bring(nowhere);
    expect(failed).toMatchObject({ status: 'failed', outcome: 'all_layers_exhausted', reason: 'exhausted' });
    expect(failed.error).toMatch(/^no source could give /);
    const gateway = new URL(origin.url).host;
    expect(failed.error).toContain(gateway);
    expect(failed.error).toContain('acme/sample@main');
    expect(failed.error).toContain('models.tar');
    for (const { source, errors } of failed.sources) expect([source, errors > 0]).toEqual([source, true]);
    expect(failed.message).toBe(failed.error);
  });
});
