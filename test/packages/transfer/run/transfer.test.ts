import { readFile, stat } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import { journalPathOf } from '#transfer/disk/partial';
import { createThrottle } from '#transfer/report/throttle';
import { transfer } from '#transfer/run/transfer';
import { fakeSource } from '../../../helpers/fake-source.ts';
import { bytesOf, sha256Of, tableOf, transferKit } from '../../../helpers/transfer-kit.ts';

const LEAF = 256 * KIB;
const bytes = bytesOf(3 * MIB + 12_345);
const table = tableOf(bytes);
const sha256 = sha256Of(bytes);

let kit: Awaited<ReturnType<typeof transferKit>>;
beforeEach(async () => {
  kit = await transferKit();
});
afterEach(() => kit.remove());

describe('one source', () => {
  it('fetches a file by its leaves', async () => {
    const source = fakeSource(bytes);
    const result = await transfer(kit.options([source], { table, file: { digests: { sha256 } } }));
    expect(bytes.equals(await readFile(kit.partialPath))).toBe(true);
    expect(result).toMatchObject({
      sizeBytes: bytes.length,
      digests: { sha256 },
      cid: table.rootCid,
      verified: 'leaves',
      deepestLayer: 'origin',
      resumedBytes: 0,
      wastedBytes: 0,
      badLeaves: 0,
    });
    expect((await stat(kit.partialPath)).mode & 0o777).toBe(0o600);
  });

  it('fetches a file that only a digest proves', async () => {
    const result = await transfer(
      kit.options([fakeSource(bytes)], { file: { sizeBytes: bytes.length, digests: { sha256 } } }),
    );
    expect(result).toMatchObject({ verified: 'digest', digests: { sha256 }, wastedBytes: 0 });
    expect(bytes.equals(await readFile(kit.partialPath))).toBe(true);
  });

  it('learns the size from the first response and uses that very response', async () => {
    const source = fakeSource(bytes);
    const result = await transfer(kit.options([source], { file: { digests: { sha256 } } }));
    expect(result).toMatchObject({ verified: 'digest', sizeBytes: bytes.length });
    expect(source.requests).toEqual([{}]);
  });

  it('takes a body of unknown length in one stream', async () => {
    const result = await transfer(kit.options([fakeSource(bytes, { hidesSize: true })], { file: { digests: {} } }));
    expect(result).toMatchObject({ verified: 'none', sizeBytes: bytes.length, digests: { sha256 } });
    expect(bytes.equals(await readFile(kit.partialPath))).toBe(true);
  });

  it('RE6 drops the sender of a wrong body of unknown length and asks the next', async () => {
    const liar = fakeSource(bytes.subarray(0, MIB), { name: 'liar', hidesSize: true, kind: 'ipfs-gateway' });
    const honest = fakeSource(bytes, { name: 'honest', hidesSize: true });
    const result = await transfer(kit.options([liar, honest], { file: { digests: { sha256 } } }));
    expect(bytes.equals(await readFile(kit.partialPath))).toBe(true);
    expect(result).toMatchObject({ verified: 'digest', deepestLayer: 'origin', wastedBytes: MIB });
  });

  it('restarts a body of unknown length after it broke off', async () => {
    const source = fakeSource(bytes, { hidesSize: true, cutAfterBytes: (n) => (n === 0 ? MIB : undefined) });
    const result = await transfer(kit.options([source], { file: { digests: {} } }));
    expect(bytes.equals(await readFile(kit.partialPath))).toBe(true);
    expect(result.sizeBytes).toBe(bytes.length);
  });

  it('B18 takes an empty file', async () => {
    const empty = Buffer.alloc(0);
    const result = await transfer(kit.options([fakeSource(empty)], { file: { digests: { sha256: sha256Of(empty) } } }));
    expect(result).toMatchObject({ sizeBytes: 0, verified: 'digest' });
    const known = await transfer(kit.options([], { file: { sizeBytes: 0, digests: { sha256: sha256Of(empty) } } }));
    expect(known.tries).toEqual([]);
  });

  it('computes the CID and leaf table of a hub file in the same pass', async () => {
    const result = await transfer(
      kit.options([fakeSource(bytes)], {
        file: { sizeBytes: bytes.length, digests: { sha256 } },
        dagProfile: 'unixfs-v0-2015',
      }),
    );
    expect(sha256Of(result.table!.digests)).toBe(sha256Of(table.digests));
    expect(result.cid).toMatch(/^Qm/);
    expect(result.innerBlocks?.size).toBe(1);
  });

  it('HR20 keeps the bytes before a broken connection and continues from there', async () => {
    const source = fakeSource(bytes, { cutAfterBytes: (n) => (n === 0 ? 3 * LEAF + 1000 : undefined) });
    const result = await transfer(kit.options([source], { table }));
    expect(source.requests).toMatchObject([{ range: { start: 0 } }, { range: { start: 3 * LEAF } }]);
    expect(result.wastedBytes).toBe(1000);
  });

  it('HR10 asks for the rest after a legal prefix', async () => {
    const source = fakeSource(bytes, { prefixBytes: LEAF });
    const result = await transfer(kit.options([source], { table }));
    expect(result.wastedBytes).toBe(0);
    expect(source.requests).toHaveLength(table.count);
  });

  it('HR7 takes a whole answer to a range from 0 as it is, each byte at its own position', async () => {
    const source = fakeSource(bytes, { ranges: false });
    await transfer(kit.options([source], { table }));
    expect(source.requests).toHaveLength(1);
    expect(bytes.equals(await readFile(kit.partialPath))).toBe(true);
  });

  it('EX2 counts every byte by each of its throttles, and a stop ends the wait', async () => {
    const throttles = [createThrottle(100 * MIB), createThrottle(8 * MIB)];
    const startedAt = performance.now();
    await transfer(kit.options([fakeSource(bytes)], { table, throttles }));
    const seconds = (performance.now() - startedAt) / 1000;
    expect(seconds).toBeGreaterThan((bytes.length / (8 * MIB)) * 0.65);
    const signal = AbortSignal.timeout(50);
    const slow = { file: { sizeBytes: bytes.length, digests: { sha256 } }, throttles: [createThrottle(1000)], signal };
    await expect(
      transfer({ ...kit.options([fakeSource(bytes)], slow), partialPath: `${kit.partialPath}2` }),
    ).rejects.toThrow(/timeout/);
  });

  it('HT9 reports committed bytes that never fall, and every try', async () => {
    const seen: number[] = [];
    const onProgress = ({ committedBytes }: { committedBytes: number }) => void seen.push(committedBytes);
    const result = await transfer(kit.options([fakeSource(bytes, { bytesPerSecond: 5 * MIB })], { table, onProgress }));
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(bytes.length);
    expect(result.tries[0]).toMatchObject({ source: 'fake', mode: 'range', bytes: bytes.length, failure: undefined });
  });

  it('does not leave a journal for a small file', async () => {
    await transfer(kit.options([fakeSource(bytes)], { table }));
    await expect(stat(journalPathOf(kit.partialPath))).rejects.toThrow('ENOENT');
  });
});
