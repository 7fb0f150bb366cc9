import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { download } from '#fetch/download';
import { someBytes } from '../../../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../../../helpers/origin/origin.ts';

const bytes = someBytes(300_000, 'place');

describe('the place of a target', () => {
  let home: string;
  let origin: Origin;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-place-'));
    origin = await startOrigin({ files: { m: bytes } });
  });

  afterEach(async () => {
    await origin.close();
    await rm(home, { recursive: true, force: true });
  });

  const to = (name: string) => download({ from: `${origin.url}/files/m`, to: join(home, name) });

  it('is made where it is missing, and removed after a failure', async () => {
    await to('a/b/m.bin');
    expect(bytes.equals(await readFile(join(home, 'a/b/m.bin')))).toBe(true);
    origin.serve({});
    await mkdir(join(home, 'kept'));
    await expect(to('kept/c/d/m.bin')).rejects.toThrow('answered 404');
    expect((await readdir(home)).sort()).toEqual(['a', 'kept']);
    expect(await readdir(join(home, 'kept'))).toEqual([]);
  });

  it('refuses to replace a folder or a pipe, before any request', async () => {
    await mkdir(join(home, 'folder'));
    execFileSync('mkfifo', [join(home, 'pipe')]);
    await expect(to('folder')).rejects.toThrow('folder is a folder: write the path of the file');
    await expect(to('pipe')).rejects.toThrow('pipe is no regular file');
    await expect(to('pipe/m.bin')).rejects.toMatchObject({ name: 'StorageError' });
    expect(origin.requests).toEqual([]);
    expect((await lstat(join(home, 'pipe'))).isFIFO()).toBe(true);
  });

  it('replaces a link and not the file that it leads to', async () => {
    await writeFile(join(home, 'old'), 'old');
    await symlink('old', join(home, 'link'));
    await symlink('nowhere', join(home, 'lost'));
    for (const name of ['link', 'lost']) {
      await to(name);
      expect((await lstat(join(home, name))).isFile()).toBe(true);
    }
    expect(await readFile(join(home, 'old'), 'utf8')).toBe('old');
    expect(existsSync(join(home, 'nowhere'))).toBe(false);
  });

  it('G23 takes every name that the file system takes', async () => {
    for (const name of ['n'.repeat(255), '模'.repeat(85)]) {
      await to(name);
      expect(await readdir(home)).toContain(name);
    }
    await expect(to('n'.repeat(256))).rejects.toMatchObject({ name: 'StorageError' });
  });
});
