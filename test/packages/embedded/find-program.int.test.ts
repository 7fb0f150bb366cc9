import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { findProgram } from '#embedded/find-program';
import { hasApt, missingIn } from '#embedded/unpack-packages';
import { runCommand } from '#embedded/command';

const describeWithApt = (await hasApt()) ? describe : describe.skip;
let cacheDir: string;

beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'haulier-find-'));
});
afterEach(() => rm(cacheDir, { recursive: true, force: true }));

describe('findProgram', () => {
  it('takes the installed program first', async () => {
    const found = await findProgram('sh', { packages: ['dash'], cacheDir });
    expect(found).toEqual({ path: expect.stringMatching(/\/sh$/), env: {} });
  });

  it('names the command to run when there is no such program and no such package', async () => {
    const finding = findProgram('no-such-program', { packages: ['no-such-package'], cacheDir });
    await expect(finding).rejects.toThrow(/run `.*install no-such-package` and start again$/);
  }, 60_000);
});

describeWithApt('findProgram with apt', () => {
  it('unpacks again over a folder that is only half there', async () => {
    const folder = join(cacheDir, 'programs/redis-server/usr/bin');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'redis-server'), '#!/bin/sh\nexit 1\n');
    await chmod(join(folder, 'redis-server'), 0o755);
    const options = { packages: ['redis-server'], cacheDir, installed: false };
    const found = await findProgram('redis-server', options);
    expect(await runCommand(found.path, ['--version'], { env: found.env })).toMatch(/Redis server v=/);
  }, 120_000);
});

describe('missingIn', () => {
  it('takes what is new and leaves what is installed as it is', () => {
    const plan =
      'Inst libjemalloc2 (5.3 Debian [amd64])\nInst libc6 [2.36] (2.37 Debian [amd64])\nConf libjemalloc2 (5.3)\n';
    expect(missingIn(plan)).toEqual(['libjemalloc2']);
  });
});
