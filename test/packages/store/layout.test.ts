import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { freeBytes } from '#os/disk-space';
import { blobPath, storePaths } from '#store/layout';
import { openStore } from '#store/open-store';
import { removeTemporaryFolders, sha256Of, temporaryFolder } from './temp-store.ts';

afterEach(removeTemporaryFolders);

describe('openStore', () => {
  it('makes the folders, private ones for itself alone', async () => {
    const { paths } = await openStore({ home: await temporaryFolder() });
    expect(await readFile(paths.version, 'utf8')).toBe('1\n');
    const mode = async (path: string): Promise<number> => (await stat(path)).mode & 0o077;
    expect(await mode(paths.partials)).toBe(0);
    expect(await mode(paths.models)).toBe(0o055);
  });

  it('G12 refuses a newer layout with a sentence that says what to do', async () => {
    const home = await temporaryFolder();
    await writeFile(join(home, 'VERSION'), '2\n');
    await expect(openStore({ home })).rejects.toMatchObject({
      kind: 'newer-layout',
      message: expect.stringContaining('use the newer haulier that wrote it'),
    });
    await expect(stat(join(home, 'blobs'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('G12 refuses a VERSION that is no number instead of overwriting it', async () => {
    const home = await temporaryFolder();
    await writeFile(join(home, 'VERSION'), 'hello');
    await expect(openStore({ home })).rejects.toMatchObject({
      kind: 'io',
      message: expect.stringContaining('"hello"'),
    });
  });

  it('migrates a store from before VERSION and keeps its blobs', async () => {
    const home = await temporaryFolder();
    const bytes = Buffer.from('old content');
    const blob = blobPath(storePaths(home), sha256Of(bytes));
    await mkdir(dirname(blob), { recursive: true });
    await writeFile(blob, bytes);
    const store = await openStore({ home });
    expect(await store.find({ digests: { sha256: sha256Of(bytes) } })).toMatchObject({ sizeBytes: bytes.length });
    expect((await stat(blob)).mode & 0o222).toBe(0);
  });

  it('RE10 tells the free space, also for a folder that is not there yet', async () => {
    const home = await temporaryFolder();
    const store = await openStore({ home });
    expect(await store.freeBytes()).toBeGreaterThan(0);
    expect(await freeBytes(join(home, 'not', 'there'))).toBeGreaterThan(0);
  });

  it('refuses a digest that would become another path', () => {
    expect(() => blobPath(storePaths('/x'), '../../etc/passwd')).toThrow(RangeError);
  });
});
