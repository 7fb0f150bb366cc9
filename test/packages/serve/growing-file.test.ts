import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { VerifyError } from '#core/failure';
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

  it('EX5 F17 remembers what a reader had that was closed before the proof', async () => {
    const { path, file, disk, publish } = await growing();
    const [early, late] = [file.reader(), file.reader()];
    await disk.write(Buffer.from('wrong'), 0);
    file.advance(path, 5);
    await early.read(Buffer.alloc(3), 0);
    const ofEarly = early.proofOf(WHOLE);
    await early.close();
    await disk.write(BYTES, 0);
    file.advance(path, 10);
    await late.read(Buffer.alloc(10), 0);
    const ofLate = late.proofOf(WHOLE);
    await late.close();
    await publish();
    await expect(ofEarly).rejects.toThrow(VerifyError);
    await expect(ofLate).resolves.toBeUndefined();
  });

  it('EX5 F17 proves no other byte than the first one before all are here: a client may ask for the last one alone', async () => {
    const { file, disk } = await growing();
    const reader = file.reader();
    expect(reader.proofOf({ start: 0, end: 1 })).toBeUndefined();
    for (const start of [1, 9]) {
      const proof = reader.proofOf({ start, end: start + 1 });
      expect(proof).toBeInstanceOf(Promise);
      proof!.catch(() => undefined);
    }
    file.fail(new VerifyError('wrong-digest', 'another file'));
    await Promise.all([reader.close(), disk.close()]);
  });

  it('EX5 is answered without a byte where the client has waited long enough', async () => {
    const { file, disk } = await growing();
    const answer = file.answerable(performance.now() - 8_000);
    expect(await Promise.race([answer, pause(4_000, 'late', { ref: false })])).toBe('readable');
    file.fail(new Error('no source'));
    expect(await file.answerable(performance.now())).toBe('failed');
    await disk.close();
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
