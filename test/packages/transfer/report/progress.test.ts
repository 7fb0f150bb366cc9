import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import { TransferProgress, type Position } from '#transfer/report/progress';
import { transfer } from '#transfer/run/transfer';
import type { Progress } from '#transfer/report/transfer-options';
import { fakeSource } from '../../../helpers/fake-source.ts';
import { bytesOf, tableOf, transferKit } from '../../../helpers/transfer-kit.ts';

const LEAF = 256 * KIB;
const bytes = bytesOf(3 * MIB);
const table = tableOf(bytes);

const at = (committedBytes: number): Position => ({
  frontierBytes: committedBytes,
  ...{ committedBytes, totalBytes: 1000, wastedBytes: 0, activeSources: [], sources: [], tries: 1 },
});

describe('reports of progress', () => {
  it('HT9 are made four times a second, and at once when one is due; nothing is read for skipped reports', () => {
    const seen: number[] = [];
    const clock = { ms: 0 };
    const reporter = new TransferProgress(
      ({ committedBytes }) => void seen.push(committedBytes),
      () => clock.ms,
    );
    let looks = 0;
    const step = (ms: number, isDue = false): void => {
      clock.ms = ms;
      reporter.report(isDue, () => at((looks += 1)));
    };
    for (const ms of [0, 100, 249, 250, 499]) step(ms);
    step(499, true);
    expect(seen).toEqual([1, 2, 3]);
    expect(looks).toBe(3);
  });

  it('HT9 read nothing without a listener', () => {
    const reporter = new TransferProgress(undefined, () => 0);
    reporter.report(true, () => {
      throw new Error('there is no listener');
    });
  });

  it('HT9 give the bytes that were dropped', () => {
    const seen: Progress[] = [];
    const reporter = new TransferProgress(
      (progress) => void seen.push(progress),
      () => 0,
    );
    for (const committed of [700, 900, 300]) reporter.report(true, () => at(committed));
    expect(seen.map(({ rolledBackBytes }) => rolledBackBytes)).toEqual([0, 0, 600]);
  });
});

describe('the progress of a transfer', () => {
  let kit: Awaited<ReturnType<typeof transferKit>>;
  beforeEach(async () => {
    kit = await transferKit();
  });
  afterEach(() => kit.remove());

  it('counts useful and wasted bytes of each source, which add up to the final report', async () => {
    const spoilt = 5 * LEAF + 9;
    const liar = fakeSource(bytes, {
      ...{ name: 'liar', kind: 'ipfs-gateway' },
      corrupt: (position, chunk) => {
        if (spoilt >= position && spoilt < position + chunk.length) chunk[spoilt - position]! ^= 1;
      },
    });
    const honest = fakeSource(bytes, { name: 'honest' });
    const seen: Progress[] = [];
    const onProgress = (progress: Progress): void => void seen.push(progress);
    const result = await transfer(kit.options([liar, honest], { table, onProgress }));
    expect(seen[0]!.sources).toEqual([
      { source: 'liar', bytes: 0, wastedBytes: 0 },
      { source: 'honest', bytes: 0, wastedBytes: 0 },
    ]);
    for (const { sources, wastedBytes, committedBytes } of seen) {
      expect(sources.reduce((sum, source) => sum + source.wastedBytes, 0)).toBe(wastedBytes);
      expect(sources.reduce((sum, source) => sum + source.bytes, 0)).toBe(committedBytes);
    }
    expect(seen.at(-1)!.sources).toEqual([
      { source: 'liar', bytes: bytes.length - LEAF, wastedBytes: LEAF },
      { source: 'honest', bytes: LEAF, wastedBytes: 0 },
    ]);
    expect(result.sources).toMatchObject(seen.at(-1)!.sources);
  });
});
