import { describe, expect, it } from '@jest/globals';
import { failuresOf, LEAF_BYTES, leafRange, obtaining, PLAIN, rangesOf, testFile } from '../helpers/obtaining.ts';
import { expectNoLeaks } from '../helpers/leaks.ts';

expectNoLeaks();
const bench = obtaining();
const file = await testFile();
const SIZE = file.bytes.length;
const LAST = file.table.count - 1;
const PATIENCE_MS = 600;

describe('a source that is late', () => {
  it('C01 HT6 keeps what came before a stall and lets the next gateway go on from there', async () => {
    const stalls = await bench.faulty(file, { do: 'stall', afterBytes: 8 * LEAF_BYTES + 100 });
    const good = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: [stalls, good], timeouts: { stallMs: PATIENCE_MS } });
    expect(failuresOf(run)[0]).toBe('timed-out');
    // On a busy machine the first one may stall twice before it is left.
    const kept = run.result!.sources[0]!.bytes / LEAF_BYTES;
    expect([8, 16]).toContain(kept);
    expect(rangesOf(good)).toEqual([leafRange(file, kept, LAST)]);
  });

  it('C03 HT5 leaves a trickle for another source', async () => {
    const trickles = await bench.faulty(file, { do: 'drip', bytesPerSecond: 100 });
    const good = await bench.origin(file.served);
    const run = await bench.obtain({
      file,
      mirrors: [trickles, good],
      timeouts: { stallMs: 10_000, lowSpeedMs: PATIENCE_MS },
    });
    expect(failuresOf(run)[0]).toBe('too-slow');
    expect(rangesOf(good)).toHaveLength(1);
  });

  it('C05 HT7 uses a first byte within the limit and times out a later one', async () => {
    const inTime = await bench.faulty(file, { do: 'delay', ms: 60 });
    expect(failuresOf(await bench.obtain({ file, mirrors: [inTime] }))).toEqual([]);
    const late = await bench.faulty(file, { do: 'hang' });
    const good = await bench.origin(file.served);
    const options = { partialPath: `${bench.partialPath}2` };
    const timeouts = { headersMs: PATIENCE_MS };
    const run = await bench.obtain({ file, mirrors: [late, good], timeouts, options });
    expect(failuresOf(run)[0]).toBe('timed-out');
    expect(run.result).toBeDefined();
  });

  it('C14 continues with two gateways that are both slow', async () => {
    const slow = [
      await bench.origin(file.served, [], { bytesPerSecond: 8e6 }),
      await bench.origin(file.served, [], { bytesPerSecond: 6e6 }),
    ];
    const run = await bench.obtain({ file, gateways: slow });
    expect(failuresOf(run)).toEqual([]);
    expect(run.result).toBeDefined();
  });
});

describe('a source that breaks off again and again', () => {
  it('C10 RE7 HT8 continues at the same offset each time: progress resets the counter', async () => {
    const origin = await bench.faulty(file, { do: 'reset', afterBytes: 3 * LEAF_BYTES + 1000 });
    const run = await bench.obtain({ file, gateways: [origin] });
    expect(failuresOf(run).length).toBeGreaterThan(3);
    expect(run.result?.wastedBytes).toBeLessThan(failuresOf(run).length * LEAF_BYTES);
    const starts = rangesOf(origin).map((range) => Number(/\d+/.exec(range!)![0]));
    expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b));
  });
});

describe('clocks', () => {
  it('C11 HT11 is not disturbed by a wall clock that jumps an hour in either direction', async () => {
    let jumpMs = 0;
    const now = (): number => Date.now() + jumpMs;
    const origin = await bench.faulty(file, { do: 'cut', afterBytes: 4 * LEAF_BYTES });
    const onTry = (): void => void (jumpMs = jumpMs > 0 ? -3_600_000 : 3_600_000);
    const run = await bench.obtain({ file, gateways: [origin], http: { now }, options: { onTry } });
    expect(run.result).toMatchObject({ wastedBytes: 0 });
    expect(rangesOf(origin)).toHaveLength(6);
  });

  it('H14 HT11 does not blame the source for an event loop that was blocked', async () => {
    const origin = await bench.origin(file.served, [], {
      rules: [{ path: PLAIN, fault: { do: 'drip', bytesPerSecond: 9e6 } }],
    });
    let isBlocked = false;
    const onProgress = (): void => {
      if (isBlocked) return;
      isBlocked = true;
      const until = performance.now() + 2 * PATIENCE_MS;
      while (performance.now() < until);
    };
    const timeouts = { stallMs: PATIENCE_MS, headersMs: PATIENCE_MS, lowSpeedMs: PATIENCE_MS };
    const run = await bench.obtain({ file, gateways: [origin], timeouts, options: { onProgress } });
    expect(isBlocked).toBe(true);
    expect(failuresOf(run)).toEqual([]);
    expect(run.result?.sizeBytes).toBe(SIZE);
  });
});
