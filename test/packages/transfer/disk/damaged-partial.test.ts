import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import { nodeFileOperations, type FileOperations } from '#transfer/disk/file-operations';
import { decodeJournal } from '#transfer/disk/journal';
import { journalPathOf } from '#transfer/disk/partial';
import { transfer } from '#transfer/run/transfer';
import { fakeSource } from '../../../helpers/fake-source.ts';
import { damage } from '../../../helpers/obtaining.ts';
import { bytesOf, sha256Of, tableOf, transferKit } from '../../../helpers/transfer-kit.ts';

const LEAF = 256 * KIB;
const bytes = bytesOf(4 * MIB);
const table = tableOf(bytes);
const sha256 = sha256Of(bytes);

let kit: Awaited<ReturnType<typeof transferKit>>;
beforeEach(async () => {
  kit = await transferKit();
});
afterEach(() => kit.remove());

const isIdentical = async () => bytes.equals(await readFile(kit.partialPath));
const readJournal = async () => decodeJournal(await readFile(journalPathOf(kit.partialPath)));

/** Leaves a partial of so many bytes, and a journal that records a clean stop. */
async function stopCleanlyAfter(sentBytes: number): Promise<void> {
  const controller = new AbortController();
  const corrupt = (position: number): void => {
    if (position >= sentBytes) controller.abort(new Error('stopped'));
  };
  const source = fakeSource(bytes, { chunkBytes: 32 * KIB, corrupt });
  const stopped = transfer(kit.options([source], { table, signal: controller.signal }));
  await expect(stopped).rejects.toThrow('stopped');
  expect(await readJournal()).toMatchObject({ ok: true, journal: { isClean: true } });
}

/** The real disk, with something done before each read of the partial, or to what was read. */
const reading = (
  before: (position: number) => Promise<void> | void,
  after: (position: number, read: Uint8Array) => void = () => undefined,
): FileOperations => ({
  ...nodeFileOperations,
  async openPrivate(path) {
    const file = await nodeFileOperations.openPrivate(path);
    return {
      ...file,
      async read(buffer, position) {
        await before(position);
        const count = await file.read(buffer, position);
        after(position, buffer);
        return count;
      },
    };
  },
});

describe('HD11 G12 a partial that was changed after a clean stop', () => {
  it('RE4 proves every leaf again after a clean stop as well, and stops at once when it is told to', async () => {
    await stopCleanlyAfter(3 * MIB);
    await damage(kit.partialPath, 5 * LEAF);
    const controller = new AbortController();
    let reads = 0;
    const fileOperations = reading(() => {
      reads += 1;
      controller.abort(new Error('stopped'));
    });
    const { signal } = controller;
    const stopped = transfer(kit.options([fakeSource(bytes)], { table, fileOperations, signal }));
    await expect(stopped).rejects.toThrow('stopped');
    expect(reads).toBe(1);
    expect(await transfer(kit.options([fakeSource(bytes)], { table }))).toMatchObject({ digests: { sha256 } });
    expect(await isIdentical()).toBe(true);
  });

  it('RE4 a leaf that was damaged after it was proven is fetched again when the whole digest differs', async () => {
    await stopCleanlyAfter(2 * MIB);
    let readsOfFirst = 0;
    const fileOperations = reading(async (position) => {
      // The first reading proves the leaf again, the second one is for the whole digest.
      if (position === 0 && (readsOfFirst += 1) === 2) await damage(kit.partialPath, 5);
    });
    const source = fakeSource(bytes);
    const result = await transfer(kit.options([source], { table, file: { digests: { sha256 } }, fileOperations }));
    expect(await isIdentical()).toBe(true);
    expect(result).toMatchObject({ digests: { sha256 }, resumedBytes: 2 * MIB - LEAF });
    expect(source.requests.at(-1)).toMatchObject({ range: { start: 0, end: LEAF } });
  });

  it('RE4 fails with a StorageError when the disk never returns the written bytes', async () => {
    await stopCleanlyAfter(2 * MIB);
    const spoilt = 5 * LEAF + 7;
    const spoil = (position: number, read: Uint8Array): void => {
      if (position <= spoilt && spoilt < position + read.length) read[spoilt - position]! ^= 1;
    };
    const fileOperations = reading(() => undefined, spoil);
    const options = { table, file: { digests: { sha256 } }, fileOperations };
    await expect(transfer(kit.options([fakeSource(bytes)], options))).rejects.toMatchObject({
      ...{ name: 'StorageError', kind: 'io', message: expect.stringContaining('the disk returned other bytes') },
    });
    await transfer(kit.options([fakeSource(bytes)], { table, file: { digests: { sha256 } } }));
    expect(await isIdentical()).toBe(true);
  });

  it('RE4 a DAG of other bytes than the digest is refused each time, and costs no byte twice', async () => {
    const options = { table, file: { digests: { sha256: sha256Of(Buffer.from('another')) } } };
    const sources = [fakeSource(bytes), fakeSource(bytes)];
    for (const source of sources)
      await expect(transfer(kit.options([source], options))).rejects.toMatchObject({ kind: 'wrong-digest' });
    expect(sources.map(({ requests }) => requests.length)).toEqual([expect.any(Number), 0]);
    expect(await transfer(kit.options([fakeSource(bytes)], { table }))).toMatchObject({ resumedBytes: bytes.length });
  });
});
