import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { pieceBytesFor } from '#core/bytes/span-plan';
import { MIB } from '#core/units';
import { nodeFileOperations, type FileOperations } from '#transfer/disk/file-operations';
import { pieceGrid } from '#transfer/plan/grid';
import { encodeJournal, NO_NAME } from '#transfer/disk/journal';
import { identityOf, journalPathOf } from '#transfer/disk/partial';
import { transfer } from '#transfer/run/transfer';
import { fakeSource } from '../../../helpers/fake-source.ts';
import { diskError } from '../../../helpers/disk/faulty-disk.ts';
import { bytesOf, sha256Of, transferKit } from '../../../helpers/transfer-kit.ts';

const bytes = bytesOf(20 * MIB + 777);
const PIECE = pieceBytesFor(bytes.length);
const digests = { sha256: sha256Of(bytes) };

let kit: Awaited<ReturnType<typeof transferKit>>;
let old: string;
beforeEach(async () => {
  kit = await transferKit();
  old = join(kit.folder, 'old.part');
});
afterEach(() => kit.remove());

/** A partial as a displaced program leaves it: the first two pieces are there, and its journal claims them. */
async function leaveOld(of: object = { digests }, content = bytes, claimed = 0b11): Promise<void> {
  const partial = Buffer.alloc(bytes.length);
  content.copy(partial, 0, 0, 2 * PIECE);
  await writeFile(old, partial);
  const grid = pieceGrid(bytes.length);
  const bitmap = new Uint8Array(Math.ceil(grid.count / 8));
  bitmap[0] = claimed;
  const origins = new Uint16Array(grid.count).fill(NO_NAME);
  const { sizeBytes, count, hash: gridHash } = grid;
  const identity = identityOf(of as { digests: object });
  await writeFile(
    journalPathOf(old),
    encodeJournal({ identity, gridHash, sizeBytes, count, isClean: false, bitmap, origins, names: [] }),
  );
}

describe('the partial of a displaced program, where no leaf table proves its bytes', () => {
  const run = (more: object = {}) =>
    transfer(kit.options([fakeSource(bytes)], { file: { sizeBytes: bytes.length, digests }, salvage: [old], ...more }));
  const expectWhole = async (result: Awaited<ReturnType<typeof run>>, resumedBytes: number): Promise<void> => {
    expect(result).toMatchObject({ resumedBytes });
    expect(bytes.equals(await readFile(kit.partialPath))).toBe(true);
  };

  it('HD7 gives the pieces that its journal records, is only read, and its holes are not copied', async () => {
    await leaveOld();
    const before = await stat(old);
    await expectWhole(await run(), 2 * PIECE);
    expect((await stat(old)).mtimeMs).toBe(before.mtimeMs);
  });

  it('HD7 costs a second fetch of the bytes when it was damaged', async () => {
    await leaveOld({ digests }, bytesOf(bytes.length, 'damaged'));
    await expectWhole(await run(), 0);
  });

  it.each([
    ['is of another file', () => leaveOld({ digests: { sha256: 'ab'.repeat(32) } })],
    ['has no journal', () => writeFile(old, bytes)],
    ['has a damaged journal', () => writeFile(old, bytes).then(() => writeFile(journalPathOf(old), 'junk'))],
    [
      'is no file',
      () =>
        leaveOld()
          .then(() => mkdir(`${old}-folder`))
          .then(() => void (old = `${old}-folder`)),
    ],
  ])('gives nothing when it %s', async (_what, leave) => {
    await leave();
    await expectWhole(await run(), 0);
  });

  it('gives nothing where no digest will prove it', async () => {
    await leaveOld({ digests: {} });
    await expectWhole(await run({ file: { sizeBytes: bytes.length, digests: {} } }), 0);
  });

  it('gives what can be read of it', async () => {
    await leaveOld();
    const openForReading: FileOperations['openForReading'] = async (path) => {
      const file = (await nodeFileOperations.openForReading(path))!;
      const read = (buffer: Uint8Array, position: number): Promise<number> =>
        position < PIECE ? file.read(buffer, position) : Promise.reject(diskError('EIO'));
      return { ...file, read };
    };
    await expectWhole(await run({ fileOperations: { ...nodeFileOperations, openForReading } }), PIECE);
  });
});
