import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { GrowingFile } from '#serve/pull/growing-file';
import { nodeFileOperations } from '#transfer/disk/file-operations';
import { temporaryFolder } from '../store/temp-store.ts';
import { cleansUp } from './serve-kit.ts';

cleansUp();

const BYTES = Buffer.from('0123456789');

async function growing() {
  const folder = await temporaryFolder();
  const path = join(folder, 'part');
  const file = new GrowingFile(BYTES.length);
  const disk = await file.watched(nodeFileOperations).openPrivate(path);
  const publish = async (): Promise<void> => {
    await disk.close();
    await rename(path, join(folder, 'blob'));
    file.publish(join(folder, 'blob'));
  };
  return { folder, path, file, disk, publish };
}

const WHOLE = { start: 0, end: BYTES.length };

describe('a file that is fetched while clients read it', () => {
  it('EX5 gives bytes up to where all are on the disk, and the others when they are', async () => {
    const { path, file, disk, publish } = await growing();
    const reader = file.reader();
    const buffer = Buffer.alloc(10);
    await disk.write(BYTES.subarray(0, 4), 0);
    file.advance(path, 4);
    expect(await reader.read(buffer, 0)).toBe(4);
    const later = reader.read(buffer.subarray(4), 4);
    await disk.write(BYTES.subarray(4), 4);
    file.advance(path, 10);
    expect(await later).toBe(6);
    expect(buffer).toEqual(BYTES);
    await publish();
    await expect(reader.proofOf(WHOLE)).resolves.toBeUndefined();
    await reader.close();
  });

  it('EX5 is opened also while it gets its final name', async () => {
    const { folder, path, file, disk } = await growing();
    await disk.write(BYTES, 0);
    await disk.close();
    file.advance(path, 10);
    await rename(path, join(folder, 'blob'));
    const reader = file.reader();
    const read = reader.read(Buffer.alloc(10), 0);
    file.publish(join(folder, 'blob'));
    expect(await read).toBe(10);
    await reader.close();
  });

  it('EX5 proves nothing to a reader whose bytes were written again, and all to one that came later', async () => {
    const { path, file, disk, publish } = await growing();
    const [early, late] = [file.reader(), file.reader()];
    await disk.write(Buffer.from('wrong'), 0);
    file.advance(path, 5);
    await early.read(Buffer.alloc(3), 0);
    await disk.write(BYTES, 0);
    file.advance(path, 10);
    await late.read(Buffer.alloc(10), 0);
    await publish();
    await expect(early.proofOf(WHOLE)).rejects.toThrow('turned out to be wrong');
    await expect(late.proofOf(WHOLE)).resolves.toBeUndefined();
    await Promise.all([early.close(), late.close()]);
  });

  it('EX5 proves nothing to a reader of another file than the one that was published', async () => {
    const { folder, path, file, disk } = await growing();
    const reader = file.reader();
    await disk.write(BYTES, 0);
    file.advance(path, 10);
    await reader.read(Buffer.alloc(10), 0);
    await disk.close();
    await writeFile(join(folder, 'other'), BYTES);
    file.publish(join(folder, 'other'));
    await expect(reader.proofOf(WHOLE)).rejects.toThrow('turned out to be wrong');
    await reader.close();
  });

  it('EX5 tells all readers when it cannot be had', async () => {
    const { file, disk } = await growing();
    const reader = file.reader();
    const read = reader.read(Buffer.alloc(1), 0);
    file.fail(new Error('no source'));
    await expect(read).rejects.toThrow('no source');
    await expect(reader.proofOf(WHOLE)).rejects.toThrow('no source');
    expect(file.hasFailed).toBe(true);
    await Promise.all([reader.close(), disk.close()]);
  });
});
