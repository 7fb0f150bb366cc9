import { describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import { createThrottle } from '#transfer/report/throttle';
import { contention, expectWithin, slack } from '../../../helpers/within.ts';

/** Takes chunks for so long and tells the rate in bytes per second. */
async function rateOver(ms: number, take: (bytes: number) => Promise<void> | undefined): Promise<number> {
  const startedAt = performance.now();
  let bytes = 0;
  while (performance.now() - startedAt < ms) {
    bytes += 16 * KIB;
    await take(16 * KIB);
  }
  return (bytes * 1000) / (performance.now() - startedAt);
}

describe('EX2 throttle', () => {
  it('keeps the rate, however it is shared', async () => {
    const throttle = createThrottle(8 * MIB);
    const before = contention();
    const rates = await Promise.all([1, 2, 3].map(() => rateOver(1500, (bytes) => throttle.take(bytes))));
    const total = rates.reduce((a, b) => a + b);
    // The first 100 ms may be taken at once: 7 % of this short run, 1 % of ten seconds.
    expect(total).toBeGreaterThan((8 * MIB * 0.95) / slack(before, contention()));
    expect(total).toBeLessThan(8 * MIB * 1.13);
  });

  it('is exact over ten seconds of its own clock', () => {
    let clock = 0;
    const throttle = createThrottle(MIB, () => clock);
    let taken = 0;
    while (clock < 10_000) {
      if (throttle.take(16 * KIB) !== undefined) clock += 15.625;
      taken += 16 * KIB;
    }
    throttle.setRate(undefined);
    expect(Math.abs(taken / (10 * MIB) - 1)).toBeLessThan(0.05);
  });

  it('changes at once and wakes waiting streams', async () => {
    const throttle = createThrottle(1000);
    const waiting = throttle.take(1_000_000);
    throttle.setRate(undefined);
    await expectWithin(500, async () => waiting);
    expect(throttle.take(1e9)).toBeUndefined();
  });

  it('ends a wait when the signal fires', async () => {
    const throttle = createThrottle(1000);
    const controller = new AbortController();
    const waiting = throttle.take(1_000_000, controller.signal);
    controller.abort(new Error('stopped'));
    await expect(waiting).rejects.toThrow('stopped');
  });

  it('does not save up idle time', () => {
    let clock = 0;
    const throttle = createThrottle(MIB, () => clock);
    clock = 60_000;
    expect(throttle.take(MIB)).toBeInstanceOf(Promise);
    throttle.setRate(undefined);
  });

  it.each([0, -1, NaN])('refuses a rate of %p', (rate) => {
    expect(() => createThrottle(rate)).toThrow(/must be positive/);
  });
});
