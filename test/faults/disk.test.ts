import { randomUUID } from 'node:crypto';
import { access, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { partialPathOf, partialPlaceOf } from '#fetch/target/partial-path';
import { publishTarget } from '#fetch/target/publish-target';
import { leaseTarget } from '#fetch/target/target-lease';
import { KIB, MIB } from '#core/units';
import { leasePath } from '#os/lease/leased-partial';
import type { Progress } from '#transfer/report/transfer-options';
import { diskError, faultyDisk, type DiskFaults } from '../helpers/disk/faulty-disk.ts';
import { obtaining, rangesOf, testFile } from '../helpers/obtaining.ts';
import { expectNoLeaks } from '../helpers/leaks.ts';
import { until } from '../helpers/until.ts';

expectNoLeaks();
const bench = obtaining();
/** Writes reach the disk in blocks of a MiB: the third one fails. */
const file = await testFile(4 * MIB + 777, { chunkBytes: 256 * KIB });
const THIRD = 2;

const failing = (code: string, at: 'write' | 'openPrivate' | 'truncate' | 'datasync' | 'replaceSmall'): DiskFaults => {
  const fail = (): never => {
    throw diskError(code);
  };
  return { [at]: at === 'write' ? (n: number) => (n >= THIRD ? fail() : undefined) : fail };
};

describe('a disk that refuses', () => {
  it.each<[string, DiskFaults, string]>([
    ['G01 RE10 HD3 ENOSPC at a write', failing('ENOSPC', 'write'), 'disk-full'],
    ['G03 EDQUOT at a write', failing('EDQUOT', 'write'), 'disk-full'],
    ['G05 EROFS at a write', failing('EROFS', 'write'), 'read-only'],
    ['G08 EACCES at a write', failing('EACCES', 'write'), 'denied'],
    ['G17 EFBIG at a write', failing('EFBIG', 'write'), 'io'],
    ['G20 ESTALE at a write', failing('ESTALE', 'write'), 'io'],
  ])('%s: names the failure, keeps proven bytes, and continues later', async (_, faults, kind) => {
    const origin = await bench.origin(file.served);
    const failed = await bench.obtain({ file, gateways: [origin], options: { fileOperations: faultyDisk(faults) } });
    expect(failed.error).toMatchObject({ name: 'StorageError', kind, path: bench.partialPath });
    const good = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: [good] });
    expect(run.result).toMatchObject({ resumedBytes: THIRD * MIB, wastedBytes: 0 });
    expect(rangesOf(good)).toEqual([`bytes=${THIRD * MIB}-${file.bytes.length - 1}`]);
  });

  it.each<[string, DiskFaults, string]>([
    ['G04 no inode for the partial', failing('ENOSPC', 'openPrivate'), 'disk-full'],
    ['G05 EROFS when the partial is made', failing('EROFS', 'openPrivate'), 'read-only'],
    ['G08 EPERM when the partial is made', failing('EPERM', 'openPrivate'), 'denied'],
    ['G09 EMFILE', failing('EMFILE', 'openPrivate'), 'io'],
    ['G17 EFBIG for a file of this length', failing('EFBIG', 'truncate'), 'io'],
  ])('%s: fails before a byte is asked for, and the next attempt works', async (_, faults, kind) => {
    const origin = await bench.origin(file.served);
    const failed = await bench.obtain({ file, mirrors: [origin], options: { fileOperations: faultyDisk(faults) } });
    expect(failed.error).toMatchObject({ name: 'StorageError', kind });
    expect(origin.requests).toEqual([]);
    expect((await bench.obtain({ file, mirrors: [origin] })).result).toBeDefined();
  });

  it('G21 RE10 reports how much space is missing before a byte is requested, and continues when space is back', async () => {
    const origin = await bench.origin(file.served);
    const free = { freeBytes: MIB };
    const failed = await bench.obtain({ file, mirrors: [origin], options: { fileOperations: faultyDisk(free) } });
    const needed = Math.ceil(file.bytes.length * 1.05);
    expect(failed.error).toMatchObject({ kind: 'disk-full', missingBytes: needed - MIB });
    expect(origin.requests).toEqual([]);
    expect((await bench.obtain({ file, mirrors: [origin] })).result).toBeDefined();
  });
});

describe('where the bytes grow', () => {
  it('G07 HD1 is the folder of the target, so that publishing never crosses a filesystem', () => {
    const target = join(bench.folder, 'models', 'model.onnx');
    expect(dirname(partialPathOf(target))).toBe(dirname(target));
  });

  it('HD8 is private: two transfers of one file end with the same bytes, each in its own partial', async () => {
    const origin = await bench.origin(file.served);
    const paths = ['a', 'b'].map((name) => join(bench.folder, name));
    await Promise.all(paths.map((partialPath) => bench.obtain({ file, gateways: [origin], options: { partialPath } })));
    for (const path of paths) expect(file.bytes.equals(await readFile(path))).toBe(true);
  });

  it('G18 HD7 HD8 is safe without locks: who was taken for gone, and is not, writes nothing into what another publishes', async () => {
    const target = join(bench.folder, 'm.bin');
    const partialPath = partialPathOf(target);
    const liar = await bench.faulty(file, [{ do: 'other-bytes' }, { do: 'drip', bytesPerSecond: MIB / 2 }]);
    let written = 0;
    const onProgress = ({ committedBytes }: Progress): void => void (written = Math.max(written, committedBytes));
    const silent = bench.obtain({ file, mirrors: [liar], options: { partialPath, onProgress } });
    await until(() => written > 0, { what: 'the silent one writes' });

    const process = { place: 'elsewhere', pid: 1, started: '1' };
    const record = { token: randomUUID(), note: basename(partialPath), host: 'other', process };
    await writeFile(leasePath(partialPlaceOf(target)), JSON.stringify(record));
    const lease = await leaseTarget(target, { signal: new AbortController().signal, ttlMs: 100 });
    const honest = await bench.origin(file.served);
    const own = { partialPath: lease.partialPath, salvage: lease.salvage };
    expect((await bench.obtain({ file, gateways: [honest], options: own })).result).toMatchObject({
      verified: 'leaves',
    });
    await publishTarget(lease.partialPath, target);

    const before = written;
    expect((await silent).error).toMatchObject({ name: 'ExhaustedError' });
    expect(written).toBeGreaterThan(before);
    expect(file.bytes.equals(await readFile(target))).toBe(true);
    await lease.discard();
  });

  it('leaves nothing behind when not a byte came', async () => {
    const run = await bench.obtain({ file, mirrors: [await bench.faulty(file, { do: 'status', status: 404 })] });
    expect(run.error).toBeDefined();
    await expect(access(bench.partialPath)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
