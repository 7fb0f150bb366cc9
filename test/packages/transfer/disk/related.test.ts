import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KIB } from '#core/units';
import { nodeFileOperations } from '#transfer/disk/file-operations';
import type { TransferOptions } from '#transfer/report/transfer-options';
import { transfer } from '#transfer/run/transfer';
import { fakeSource } from '../../../helpers/fake-source.ts';
import { bytesOf, tableOf, transferKit } from '../../../helpers/transfer-kit.ts';

const LEAF = 256 * KIB;
const old = bytesOf(10 * LEAF + 99, 'old');
const leaf = (index: number): Buffer => old.subarray(index * LEAF, (index + 1) * LEAF);
/** New bytes in front, leaves of the old file in another order, one of them twice, and its short last leaf. */
const bytes = Buffer.concat([bytesOf(LEAF, 'new'), leaf(7), leaf(2), leaf(2), leaf(9), leaf(10)]);
const table = tableOf(bytes);

let kit: Awaited<ReturnType<typeof transferKit>>;
let path: string;
beforeEach(async () => {
  kit = await transferKit();
  path = join(kit.folder, 'old');
  await writeFile(path, old);
});
afterEach(() => kit.remove());

/** @returns bytes that were copied, and the ranges that the source was asked for */
async function fetchBeside(content: Buffer, more: Partial<TransferOptions> = {}) {
  const source = fakeSource(bytes);
  const related = [{ path, table: tableOf(content) }];
  const { resumedBytes } = await transfer(kit.options([source], { table, related, ...more }));
  expect(bytes.equals(await readFile(kit.partialPath))).toBe(true);
  return { resumedBytes, ranges: source.requests.map((request) => ('range' in request ? request.range : request)) };
}

describe('leaves that another file of the host has', () => {
  it('copies them from wherever they stand there, and fetches the others', async () => {
    const first = { start: 0, end: LEAF };
    expect(await fetchBeside(old)).toEqual({ resumedBytes: bytes.length - LEAF, ranges: [first] });
    expect(old.equals(await readFile(path))).toBe(true);
  });

  it('fetches a leaf that was damaged there since, or that is cut off', async () => {
    const damaged = Buffer.from(old.subarray(0, 10 * LEAF + 5));
    damaged[7 * LEAF + 3]! ^= 1;
    await writeFile(path, damaged);
    expect((await fetchBeside(old)).resumedBytes).toBe(3 * LEAF);
  });

  it('takes nothing from a file of which the table says wrong things', async () => {
    await writeFile(path, bytesOf(old.length, 'other'));
    expect((await fetchBeside(old)).resumedBytes).toBe(0);
  });

  it('reads nothing of a file without a common leaf', async () => {
    const openForReading = (): never => {
      throw new Error('it was opened');
    };
    const fileOperations = { ...nodeFileOperations, openForReading };
    expect((await fetchBeside(bytesOf(3 * LEAF, 'other'), { fileOperations })).resumedBytes).toBe(0);
  });

  it('goes on without a file that is gone, and after one that cannot be read to its end', async () => {
    const openForReading = async (from: string) => {
      const file = await nodeFileOperations.openForReading(from);
      const read = (buffer: Uint8Array, position: number) =>
        position < 7 * LEAF ? file!.read(buffer, position) : Promise.reject(new Error('EIO'));
      return file && { ...file, read };
    };
    const related = [join(kit.folder, 'gone'), path].map((one) => ({ path: one, table: tableOf(old) }));
    const fileOperations = { ...nodeFileOperations, openForReading };
    expect((await fetchBeside(old, { related, fileOperations })).resumedBytes).toBe(2 * LEAF);
  });
});
