import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { nodeFiles, type FileCalls } from '#os/file-calls';
import { ifPresent, readIfPresent } from '#os/if-present';
import { syncFolder } from '#os/sync';
import { createWhole, unlinkIfPresent, writeAtomically, writeDurably } from '#os/write-file';

const failure = (code: string): Error => Object.assign(new Error(code), { code });

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'haulier-os-'));
  path = join(folder, 'file');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('reading what may be absent', () => {
  it('gives the text, and undefined where there is no file', async () => {
    await writeFile(path, 'text');
    expect(await readIfPresent(path)).toBe('text');
    expect(await readIfPresent(join(folder, 'none'))).toBeUndefined();
    expect(await ifPresent(stat(join(path, 'below a file')))).toBeUndefined();
  });

  it('never takes what cannot be read for absent', async () => {
    await expect(readIfPresent(folder)).rejects.toMatchObject({ name: 'StorageError', kind: 'io', path: folder });
    await expect(ifPresent(Promise.reject(failure('EACCES')))).rejects.toThrow('EACCES');
  });

  it('removes a file whether it is there or not', async () => {
    await writeFile(path, '');
    await unlinkIfPresent(nodeFiles, path);
    await unlinkIfPresent(nodeFiles, path);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe.each([
  ['writeDurably', writeDurably],
  ['writeAtomically', writeAtomically],
])('%s', (_name, write: (fs: FileCalls, path: string, data: string) => Promise<void>) => {
  it('replaces a file and leaves nothing beside it', async () => {
    await write(nodeFiles, path, 'old');
    await write(nodeFiles, path, 'new');
    expect(await readFile(path, 'utf8')).toBe('new');
    expect(await readdir(folder)).toEqual(['file']);
  });

  it('leaves the old content and nothing beside it when the rename fails', async () => {
    await write(nodeFiles, path, 'old');
    const refusing: FileCalls = { ...nodeFiles, rename: () => Promise.reject(failure('ENOSPC')) };
    await expect(write(refusing, path, 'new')).rejects.toMatchObject({ name: 'StorageError', kind: 'disk-full', path });
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['file']);
  });
});

describe('createWhole', () => {
  const noLinks: FileCalls = { ...nodeFiles, link: () => Promise.reject(failure('EPERM')) };

  it.each([
    ['with hard links', nodeFiles],
    ['without hard links', noLinks],
  ])('lets one of several make the file, for its owner only, %s', async (_where, fs) => {
    const made = await Promise.all(['a', 'b', 'c'].map((text) => createWhole(fs, path, text)));
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(await readFile(path, 'utf8')).toBe(['a', 'b', 'c'][made.indexOf(true)]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['file']);
  });

  it('says whose disk refused', async () => {
    const full: FileCalls = { ...nodeFiles, writeFile: () => Promise.reject(failure('ENOSPC')) };
    await expect(createWhole(full, path, 'a')).rejects.toMatchObject({ name: 'StorageError', kind: 'disk-full', path });
  });
});

describe('syncFolder', () => {
  it('is content with a file system that has no such thing, and with no other failure', async () => {
    const on = (code: string): FileCalls => ({ ...nodeFiles, open: () => Promise.reject(failure(code)) });
    await syncFolder(on('EINVAL'), folder);
    await syncFolder(on('EOPNOTSUPP'), folder);
    await expect(syncFolder(on('EIO'), folder)).rejects.toThrow('EIO');
  });
});
