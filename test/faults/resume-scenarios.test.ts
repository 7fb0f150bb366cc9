import { access, stat, writeFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { nextStatus, type DownloadEvent } from '#core/download-status';
import { MIB } from '#core/units';
import { journalPathOf } from '#transfer/disk/partial';
import { diskError, faultyDisk } from '../helpers/disk/faulty-disk.ts';
import type { Fault } from '../helpers/origin/origin-fault.ts';
import {
  damage,
  failuresOf,
  fileOf,
  LEAF_BYTES,
  leafRange,
  obtaining,
  rangesOf,
  testFile,
} from '../helpers/obtaining.ts';
import { expectNoLeaks } from '../helpers/leaks.ts';
import { bytesOf, QUICK_BUDGETS } from '../helpers/transfer-kit.ts';

expectNoLeaks();
const bench = obtaining();
const file = await testFile();
const LEAVES = file.table.count;
const SIZE = file.bytes.length;
const HALF = 10 * LEAF_BYTES;

/** Nothing proves these bytes: only a validator says that two parts belong together. */
const unproven = { digests: {}, allowUnverified: true };

describe('resuming', () => {
  it('RE12 RE1 HD5 finds a partial after a restart, and believes its journal, not its size', async () => {
    await bench.interruptedAt(HALF, { file, gateways: [''] });
    expect((await stat(bench.partialPath)).size).toBe(SIZE);
    const run = await bench.obtain({ file, gateways: [await bench.origin(file.served)] });
    expect(run.result).toMatchObject({ resumedBytes: HALF });
  });

  it('RE12 RE1 takes over the good leaves of a partial that has lost its journal', async () => {
    await writeFile(bench.partialPath, file.bytes.subarray(0, HALF + 100), { mode: 0o600 });
    const origin = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: [origin] });
    expect(rangesOf(origin)).toEqual([leafRange(file, 10, LEAVES - 1)]);
    expect(run.result).toMatchObject({ resumedBytes: HALF });
  });

  it.each([25, 50, 75])(
    'RE12 RE1 continues at %i percent with one range and asks for no byte again',
    async (percent) => {
      const leaves = Math.floor((LEAVES * percent) / 100);
      await bench.interruptedAt(leaves * LEAF_BYTES + 11, { file, gateways: [''] });
      const origin = await bench.origin(file.served);
      const run = await bench.obtain({ file, gateways: [origin] });
      expect(rangesOf(origin)).toEqual([leafRange(file, leaves, LEAVES - 1)]);
      expect(run.result).toMatchObject({ resumedBytes: leaves * LEAF_BYTES, wastedBytes: 0 });
    },
  );

  it('RE12 RE4 verifies the hash of the whole after a resume, old bytes and new', async () => {
    await bench.interruptedAt(HALF, { file, mirrors: [''] });
    const run = await bench.obtain({ file, mirrors: [await bench.origin(file.served)] });
    expect(run.result).toMatchObject({ verified: 'digest', digests: { sha256: file.sha256 }, resumedBytes: HALF });
  });

  it('RE12 RE4 finds corruption that happened between two runs, and fetches the file again', async () => {
    await bench.interruptedAt(HALF, { file, mirrors: [''] });
    await damage(bench.partialPath, 3 * LEAF_BYTES);
    const run = await bench.obtain({ file, mirrors: [await bench.origin(file.served)] });
    expect(run.result).toMatchObject({ verified: 'digest' });
    expect(run.progress.some(({ rolledBackBytes }) => rolledBackBytes > 0)).toBe(true);
  });

  it.each([
    ['a CID alone', { digests: {} }],
    ['a CID and a SHA-256', {}],
  ])('RE12 RE4 HD11 a byte that changed after a clean stop, by %s: that leaf is fetched again', async (_, identity) => {
    await bench.interruptedAt(HALF, { file, gateways: [''], identity });
    await damage(bench.partialPath, 3 * LEAF_BYTES + 5);
    const origin = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: [origin], identity });
    expect(run.error).toBeUndefined();
    expect(run.result).toMatchObject({ verified: 'leaves', resumedBytes: HALF - LEAF_BYTES, wastedBytes: 0 });
    expect(run.result?.digests).toEqual({ sha256: file.sha256 });
    expect(rangesOf(origin).sort()).toEqual([leafRange(file, 10, LEAVES - 1), leafRange(file, 3, 3)].sort());
  });

  it('RE12 RE4 finds corruption in what a resume fetched: only that leaf is lost', async () => {
    await bench.interruptedAt(HALF, { file, gateways: [''] });
    const liar = await bench.faulty(file, { do: 'flip', atByte: 15 * LEAF_BYTES });
    const good = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: [liar], mirrors: [good] });
    expect(rangesOf(good)).toEqual([leafRange(file, 15, 15)]);
    expect(run.result).toMatchObject({ resumedBytes: HALF, wastedBytes: LEAF_BYTES });
  });

  it('RE12 RE4 removes a partial of which nothing is right', async () => {
    const liar = await bench.faulty(file, { do: 'other-bytes' });
    const run = await bench.obtain({ file, gateways: [liar] });
    expect(run.error).toMatchObject({ name: 'ExhaustedError' });
    for (const path of [bench.partialPath, journalPathOf(bench.partialPath)])
      await expect(access(path)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('failing over', () => {
  it('RE12 RE7 CH1 continues at the next gateway, at the same offset, without a byte twice', async () => {
    const gateways = [
      await bench.faulty(file, { do: 'reset', afterBytes: 0 }),
      await bench.faulty(file, { do: 'cut', afterBytes: HALF }, 1),
      await bench.origin(file.served),
    ];
    const run = await bench.obtain({ file, gateways });
    expect(run.result).toMatchObject({ outcome: 'primary_success', wastedBytes: 0 });
    expect(rangesOf(gateways[1]!)[0]).toBe(leafRange(file, 0, LEAVES - 1));
    expect(gateways.slice(1).flatMap(rangesOf)).toContain(leafRange(file, 10, LEAVES - 1));
  });

  it('RE12 RE5 waits 1, 2 and 4 parts between tries that time out', async () => {
    const pauses = { ...QUICK_BUDGETS.ipfs, backoffBaseMs: 20, backoffMaxMs: 80, triesPerSource: 4 };
    const ends: number[] = [];
    const origin = await bench.faulty(file, { do: 'status', status: 500 });
    const run = await bench.obtain({
      file,
      gateways: [origin],
      options: {
        budgets: { ...QUICK_BUDGETS, ipfs: pauses },
        random: () => 0.999,
        onTry: () => void ends.push(performance.now()),
      },
    });
    const gaps = ends.slice(1).map((end, i) => end - ends[i]!);
    expect(gaps).toHaveLength(3);
    for (const [i, leastMs] of [20, 40, 80].entries()) expect(gaps[i]).toBeGreaterThanOrEqual(leastMs - 2);
    expect(run.error).toBeDefined();
  });

  it('RE12 RE5 CH1 asks a gateway three times and no more, and then names it', async () => {
    const origin = await bench.faulty(file, { do: 'status', status: 500 });
    const run = await bench.obtain({ file, gateways: [origin] });
    expect(rangesOf(origin)).toHaveLength(3);
    expect(run.error).toMatchObject({ mayPass: true, message: expect.stringMatching(/answered 500 \(3 times\)/) });
  });

  it('RE12 RE2 a gateway without ranges is asked for raw blocks, a mirror for the whole file', async () => {
    await bench.interruptedAt(HALF, { file, gateways: [''] });
    const gateway = await bench.faulty(file, { do: 'ignore-range' });
    const run = await bench.obtain({ file, gateways: [gateway] });
    expect(run.result?.sources[0]).toMatchObject({ mode: 'blocks', bytes: SIZE - HALF, wastedBytes: 0 });
    const mirror = await bench.faulty(file, { do: 'ignore-range' });
    const options = { partialPath: `${bench.partialPath}2` };
    const whole = await bench.obtain({ file, mirrors: [mirror], options });
    expect(rangesOf(mirror)).toHaveLength(1);
    expect(whole.result).toMatchObject({ wastedBytes: 0 });
  });
});

describe('RE12 RE8 a reset of bytes that nothing proves', () => {
  it.each([
    ['RE8 at 40 percent it starts over', 0.4, 0],
    ['RE8 at 60 percent it continues', 0.6, Math.floor((0.6 * SIZE) / 4096) * 4096],
  ])('%s', async (_, share, resumed) => {
    const cut: Fault = { do: 'cut', afterBytes: Math.floor(share * SIZE) };
    const origin = await bench.origin(file.served, [cut, { do: 'status', status: 404 }]);
    const first = await bench.obtain({ file, mirrors: [origin], identity: unproven });
    expect(first.error).toBeDefined();
    const run = await bench.obtain({ file, mirrors: [origin], identity: unproven });
    expect(run.result).toMatchObject({ verified: 'none', resumedBytes: resumed });
  });
});

describe('ending', () => {
  it('RE12 RE10 a full disk keeps the partial and reports how much is missing; with space it continues', async () => {
    const big = await fileOf(bytesOf(3 * MIB));
    const origin = await bench.origin(big.served);
    const write = (n: number): undefined => {
      if (n >= 1) throw diskError('ENOSPC');
    };
    const failed = await bench.obtain({
      file: big,
      gateways: [origin],
      options: { fileOperations: faultyDisk({ write }) },
    });
    expect(failed.error).toMatchObject({ kind: 'disk-full', missingBytes: expect.any(Number) });
    const run = await bench.obtain({ file: big, gateways: [origin] });
    expect(run.result).toMatchObject({ resumedBytes: MIB, wastedBytes: 0 });
  });

  it.each<[string, DownloadEvent[], string]>([
    ['success', ['start', 'verify'], 'success'],
    ['success after a pause', ['start', 'interrupt', 'restart', 'verify'], 'success'],
    ['failure and a new start by a person', ['start', 'exhaust', 'resume', 'start', 'verify'], 'success'],
    ['cancel', ['start', 'pause', 'cancel'], 'cancelled'],
  ])('RE12 RE9 the status follows a download to %s', (_, events, end) => {
    let status = 'pending' as Parameters<typeof nextStatus>[0];
    for (const event of events) status = nextStatus(status, event)!;
    expect(status).toBe(end);
    expect(nextStatus('success', 'start')).toBeUndefined();
  });

  it('RE12 fails for one reason at a time: a source that failed twice and then worked leaves no failure', async () => {
    const origin = await bench.faulty(file, { do: 'status', status: 500 }, 2);
    const run = await bench.obtain({ file, gateways: [origin] });
    expect(failuresOf(run)).toEqual(['server-error', 'server-error']);
    expect(run.result).toMatchObject({ outcome: 'primary_success' });
  });
});
