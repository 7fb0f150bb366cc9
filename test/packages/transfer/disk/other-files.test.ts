import { link, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import { nodeFileOperations } from '#transfer/disk/file-operations';
import { transfer } from '#transfer/run/transfer';
import { fakeSource } from '../../../helpers/fake-source.ts';
import { bytesOf, tableOf, transferKit } from '../../../helpers/transfer-kit.ts';

const LEAF = 256 * KIB;
const bytes = bytesOf(4 * MIB);
const table = tableOf(bytes);

let kit: Awaited<ReturnType<typeof transferKit>>;
beforeEach(async () => {
  kit = await transferKit();
});
afterEach(() => kit.remove());

const isIdentical = async () => bytes.equals(await readFile(kit.partialPath));

describe('private inodes', () => {
  it('HN2 does not write through a link in place of the partial', async () => {
    const victim = join(kit.folder, 'victim');
    await writeFile(victim, 'precious');
    await symlink(victim, kit.partialPath);
    await transfer(kit.options([fakeSource(bytes)], { table }));
    expect(await readFile(victim, 'utf8')).toBe('precious');
    expect(await isIdentical()).toBe(true);
  });

  it('HD7 does not write into an inode that has another name', async () => {
    const shared = join(kit.folder, 'shared');
    await writeFile(shared, 'shared bytes');
    await link(shared, kit.partialPath);
    await transfer(kit.options([fakeSource(bytes)], { table }));
    expect(await readFile(shared, 'utf8')).toBe('shared bytes');
  });
});

describe('salvage', () => {
  it('keeps the good leaves of an existing file and fetches the others', async () => {
    const old = join(kit.folder, 'old');
    const damaged = Buffer.from(bytes);
    damaged[3 * LEAF + 1]! ^= 1;
    await writeFile(old, damaged);
    const source = fakeSource(bytes);
    const result = await transfer(kit.options([source], { table, salvage: [join(kit.folder, 'absent'), old] }));
    expect(await isIdentical()).toBe(true);
    expect(result.resumedBytes).toBe(bytes.length - LEAF);
    expect(source.requests).toMatchObject([{ range: { start: 3 * LEAF, end: 4 * LEAF } }]);
    expect(damaged.equals(await readFile(old))).toBe(true);
  });

  it('keeps the good leaves before a bad sector of an existing file', async () => {
    const old = join(kit.folder, 'old');
    await writeFile(old, bytes);
    const openForReading = async (path: string) => {
      const file = (await nodeFileOperations.openForReading(path))!;
      const read = (buffer: Uint8Array, position: number) =>
        position < 2 * LEAF ? file.read(buffer, position) : Promise.reject(new Error('EIO'));
      return { ...file, read };
    };
    const source = fakeSource(bytes);
    const fileOperations = { ...nodeFileOperations, openForReading };
    const { resumedBytes } = await transfer(kit.options([source], { table, salvage: [old], fileOperations }));
    expect(await isIdentical()).toBe(true);
    expect(resumedBytes).toBe(2 * LEAF);
  });

  it('skips files that it may not read', async () => {
    const operations = { ...nodeFileOperations, openForReading: () => Promise.reject(new Error('EIO')) };
    await transfer(kit.options([fakeSource(bytes)], { table, salvage: ['/nowhere'], fileOperations: operations }));
    expect(await isIdentical()).toBe(true);
  });
});
