import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { hold } from '../helpers/origin/origin-fault.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest, sha256OfFile, type SampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { hubOf } from './hub-of.ts';

describe('a new version on a host that has an older one', () => {
  const files = (seed: string): SampleFile[] => [
    sampleFile('model.bin', 2 * MIB, `model ${seed}`),
    sampleFile('config.json', 3000, `config ${seed}`),
  ];
  const [old, next] = [files('1'), files('2')];
  let origin: Origin;
  let system: System;

  beforeEach(async () => {
    origin = await startOrigin(hubOf(old));
    system = await startSystem({ origin });
    await bring('1', old);
  });
  afterEach(async () => {
    await system.stop();
    await origin.close();
  });

  const shown = (path: string): string => join(system.homeOf('host-a'), 'models', 'sample', path);
  const shownDigests = (): Promise<string[]> => Promise.all(old.map(({ path }) => sha256OfFile(shown(path))));
  const digestsOf = (of: readonly SampleFile[]): string[] => of.map(({ sha256 }) => sha256);

  async function order(version: string, of: readonly SampleFile[]): Promise<Map<string, string>> {
    await system.client.publishVersion(sampleManifest('sample', of, version));
    const { downloads } = await system.client.createDownloads({ model: 'sample', host: 'host-a' });
    return new Map(downloads.map(({ id, file }) => [file, id]));
  }

  async function bring(version: string, of: readonly SampleFile[]): Promise<void> {
    for (const id of (await order(version, of)).values())
      await system.awaitDownload(id, ({ status }) => status === 'success');
  }

  it('VE6 CH7 stays in place until the last file of the new one is there; one that cannot be fetched is reported', async () => {
    origin.serve(hubOf([next[1]!]));
    const ids = await order('2', next);
    const small = await system.awaitDownload(ids.get('config.json')!, ({ status }) => status === 'success');
    expect(await sha256OfFile(small.path!)).toBe(next[1]!.sha256);
    const failed = await system.awaitDownload(ids.get('model.bin')!, ({ status }) => status === 'failed');

    expect(await shownDigests()).toEqual(digestsOf(old));
    expect(failed.error).toContain('version 1 of sample stays in place');
    expect((await system.client.getStatus()).notices).toContainEqual(
      expect.objectContaining({ notice: 'degraded', model: 'sample', path: 'model.bin' }),
    );

    origin.serve(hubOf(next));
    await system.client.resumeDownload(failed.id);
    await system.awaitDownload(failed.id, ({ status }) => status === 'success');
    expect(await shownDigests()).toEqual(digestsOf(next));
    const records = JSON.parse(await readFile(shown('../.manifests.json'), 'utf8')) as {
      models: { sample: { version: string; previousVersion: string } };
    };
    expect(records.models.sample).toMatchObject({ version: '2', previousVersion: '1' });
  });

  it('VE6 RE11 is complete without a file that was cancelled', async () => {
    origin.serve(hubOf(next));
    origin.rules.push({ path: 'model.bin', fault: hold(MIB).fault });
    const ids = await order('2', next);
    await system.awaitDownload(ids.get('config.json')!, ({ status }) => status === 'success');
    expect(await shownDigests()).toEqual(digestsOf(old));
    await system.client.cancelDownload(ids.get('model.bin')!);
    const again = await system.awaitDownload(ids.get('config.json')!, ({ outcome }) => outcome === 'cache_hit');
    expect(again.status).toBe('success');
    expect(await sha256OfFile(shown('config.json'))).toBe(next[1]!.sha256);
    await expect(sha256OfFile(shown('model.bin'))).rejects.toThrow('ENOENT');
  });
});
