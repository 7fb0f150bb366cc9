import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { reserveDisk } from '#transfer/disk/disk-reservation';
import { transfer } from '#transfer/run/transfer';
import { fakeSource } from '../../../helpers/fake-source.ts';
import { diskError, faultyDisk, type DiskFaults } from '../../../helpers/disk/faulty-disk.ts';
import { bytesOf, sha256Of, tableOf, transferKit } from '../../../helpers/transfer-kit.ts';

const bytes = bytesOf(6 * MIB);
const table = tableOf(bytes);
const sha256 = sha256Of(bytes);
const LAST_WRITE = 5;

let kit: Awaited<ReturnType<typeof transferKit>>;
beforeEach(async () => {
  kit = await transferKit();
});
afterEach(() => kit.remove());

const isIdentical = async () => bytes.equals(await readFile(kit.partialPath));
const fullAt = (n: number): DiskFaults => ({
  write: (write) => {
    if (write >= n) throw diskError('ENOSPC');
    return undefined;
  },
});

describe('G01 RE10 the disk is full', () => {
  it.each([
    ['at the first write', 0],
    ['in the middle', 3],
    ['at the last write', LAST_WRITE],
  ])('%s: stops, keeps proven bytes, reports how much space is missing, and continues later', async (_, n) => {
    const fileOperations = faultyDisk(fullAt(n));
    const failed = transfer(kit.options([fakeSource(bytes)], { table, fileOperations }));
    await expect(failed).rejects.toMatchObject({ name: 'StorageError', kind: 'disk-full', path: kit.partialPath });
    await expect(failed).rejects.toHaveProperty('missingBytes', expect.any(Number));
    const result = await transfer(kit.options([fakeSource(bytes)], { table, file: { digests: { sha256 } } }));
    expect(await isIdentical()).toBe(true);
    expect(result.resumedBytes).toBe(n * MIB);
  });

  it.each([
    [
      'fsync',
      {
        datasync: () => {
          throw diskError('ENOSPC');
        },
      },
    ],
    [
      'journal',
      {
        replaceSmall: () => {
          throw diskError('EDQUOT');
        },
      },
    ],
  ])('G03 at %s: an interrupted transfer still ends with its own reason', async (_, faults) => {
    const controller = new AbortController();
    const source = fakeSource(bytes, { corrupt: (at) => at > 3 * MIB && controller.abort(new Error('stopped')) });
    const fileOperations = faultyDisk(faults);
    const options = kit.options([source], { table, fileOperations, signal: controller.signal });
    await expect(transfer(options)).rejects.toThrow('stopped');
    const result = await transfer(kit.options([fakeSource(bytes)], { table }));
    expect(await isIdentical()).toBe(true);
    expect(result.resumedBytes).toBe(3 * MIB);
  });

  it('G01 drops one piece when there is no room for the journal either, and keeps the others', async () => {
    const file = { sizeBytes: bytes.length, digests: { sha256 } };
    const shortened: number[] = [];
    const fileOperations = faultyDisk({
      ...fullAt(3),
      truncate: (sizeBytes) => void shortened.push(sizeBytes),
      replaceSmall: () => {
        if (shortened.at(-1) === bytes.length) throw diskError('ENOSPC');
      },
    });
    const failed = transfer(kit.options([fakeSource(bytes)], { file, fileOperations }));
    await expect(failed).rejects.toMatchObject({ kind: 'disk-full' });
    const kept = shortened.at(-1)!;
    expect(kept).toBeGreaterThan(MIB);
    const result = await transfer(kit.options([fakeSource(bytes)], { file }));
    expect(await isIdentical()).toBe(true);
    expect(result.resumedBytes).toBe(kept);
  });

  it.each(['datasync', 'replaceSmall'] as const)(
    'at %s of a checkpoint: the transfer stops as disk-full',
    async (step) => {
      let clock = 0;
      const fileOperations = faultyDisk({
        [step]: (n: number) => {
          if (n === 0) throw diskError('ENOSPC');
        },
      });
      const source = fakeSource(bytes, { corrupt: () => void (clock += 1000), bytesPerSecond: 30 * MIB });
      const options = kit.options([source], { table, fileOperations, now: () => clock });
      await expect(transfer(options)).rejects.toMatchObject({ kind: 'disk-full' });
      const result = await transfer(kit.options([fakeSource(bytes)], { table }));
      expect(result.resumedBytes).toBeGreaterThan(0);
      expect(await isIdentical()).toBe(true);
    },
  );

  it('HD4 refuses before the first request when space is short, and names what is missing', async () => {
    const source = fakeSource(bytes);
    const fileOperations = faultyDisk({ freeBytes: 5 * MIB });
    await expect(transfer(kit.options([source], { table, fileOperations }))).rejects.toMatchObject({
      kind: 'disk-full',
      missingBytes: Math.ceil(6 * MIB * 1.05) - 5 * MIB,
    });
    expect(source.requests).toEqual([]);
  });

  it('B06 does not let a body of unknown length fill the disk', async () => {
    const source = fakeSource(bytes, { hidesSize: true });
    const fileOperations = faultyDisk({ freeBytes: 2 * MIB });
    await expect(transfer(kit.options([source], { fileOperations }))).rejects.toMatchObject({ kind: 'disk-full' });
  });
});

describe('other refusals', () => {
  it('HD2 writes the rest after a short write', async () => {
    const fileOperations = faultyDisk({ write: (n, length) => (n % 2 === 0 ? Math.ceil(length / 3) : undefined) });
    await transfer(kit.options([fakeSource(bytes)], { table, fileOperations, file: { digests: { sha256 } } }));
    expect(await isIdentical()).toBe(true);
  });

  it.each([
    ['G05', 'EROFS', 'read-only'],
    ['G08', 'EACCES', 'denied'],
    ['G09', 'EMFILE', 'io'],
  ])('%s %s at opening is a StorageError', async (_, code, kind) => {
    const fileOperations = faultyDisk({
      openPrivate: () => {
        throw diskError(code);
      },
    });
    await expect(transfer(kit.options([], { table, fileOperations }))).rejects.toMatchObject({ kind });
  });

  it('G17 says at once that the file system cannot hold so large a file', async () => {
    const source = fakeSource(bytes);
    const fileOperations = faultyDisk({
      truncate: (size) => {
        if (size > 0) throw diskError('EFBIG');
      },
    });
    await expect(transfer(kit.options([source], { table, fileOperations }))).rejects.toMatchObject({ kind: 'io' });
    expect(source.requests).toEqual([]);
  });

  it('G06 EIO while the whole digest reads back is a StorageError, and what was proven is kept', async () => {
    const controller = new AbortController();
    const first = fakeSource(bytes, { corrupt: (at) => at >= 3 * MIB && controller.abort(new Error('stopped')) });
    await transfer(kit.options([first], { table, signal: controller.signal })).catch(() => undefined);
    const fileOperations = faultyDisk({
      read: () => {
        throw diskError('EIO');
      },
    });
    await expect(transfer(kit.options([fakeSource(bytes)], { table, fileOperations }))).rejects.toMatchObject({
      kind: 'io',
    });
    expect(await transfer(kit.options([], { table }))).toMatchObject({ resumedBytes: bytes.length });
  });
});

describe('reservations', () => {
  const free = () => Promise.resolve(100 * MIB);

  it('HD4 counts what other running transfers of the folder still need', async () => {
    const first = await reserveDisk('/a', 60 * MIB, free);
    await expect(reserveDisk('/a', 60 * MIB, free)).rejects.toMatchObject({
      kind: 'disk-full',
      missingBytes: 23 * MIB,
    });
    first.remaining(10 * MIB);
    const second = await reserveDisk('/a', 60 * MIB, free);
    first.release();
    second.release();
    (await reserveDisk('/a', 95 * MIB, free)).release();
  });
});
