import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import type { ServedRepo } from '../helpers/origin/origin-routes.ts';
import { sampleFile, sampleManifest } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';

const OLD = 'a'.repeat(40);
const NEW = 'b'.repeat(40);

describe('a newer version at the origin', () => {
  const file = sampleFile('model.bin', MIB);
  const repo = (commit: string): { repos: Record<string, ServedRepo> } => ({
    repos: { 'acme/sample': { commit, revisions: { old: OLD }, files: { [file.path]: file.content } } },
  });
  let origin: Origin;
  let system: System;

  beforeEach(async () => {
    origin = await startOrigin(repo(OLD));
    system = await startSystem({ origin });
  });
  afterEach(async () => {
    await system.stop();
    await origin.close();
  });

  const newerVersions = async () => (await system.client.getStatus()).newerVersions;
  const asked = (): number => origin.requests.filter(({ path }) => path.includes('/revision/')).length;

  it('VE2 raises a flag and a warning, and nothing is downloaded', async () => {
    await system.client.publishVersion({
      ...sampleManifest('sample', [file]),
      sources: [{ kind: 'huggingface', repo: 'acme/sample', revision: OLD }],
    });
    const { downloads } = await system.client.createDownloads({ model: 'sample', host: 'host-a' });
    await system.awaitDownload(downloads[0]!.id, ({ status }) => status === 'success');
    await until(() => asked() === 1, { what: 'the check that follows a publication' });
    expect(await newerVersions()).toEqual([]);

    origin.serve(repo(NEW));
    await system.client.checkModel('sample');
    await until(async () => (await newerVersions()).length > 0, { what: 'the flag' });

    expect(await newerVersions()).toEqual([{ model: 'sample', current: '1', newer: NEW }]);
    expect((await system.client.getModel('sample')).newerVersion).toBe(NEW);
    expect((await system.client.getStatus()).notices).toContainEqual(
      expect.objectContaining({ notice: 'newer_version', model: 'sample' }),
    );
    const log = await readFile(join(system.homeOf('host-a'), '..', 'logs', 'api.log'), 'utf8');
    expect(log).toContain('a newer version is available; it is not downloaded automatically');
    expect(asked()).toBe(2);
    const sentFiles = origin.requests.filter(({ path }) => path.includes('/resolve/'));
    expect(sentFiles.reduce((sum, { bytesSent }) => sum + bytesSent, 0)).toBe(file.content.size);
    expect((await system.client.listDownloads()).downloads).toHaveLength(1);
  });
});
