import { describe, expect, it } from '@jest/globals';
import { SteadyRate } from '../../../../apps/cli/terminal/steady-rate.ts';

describe('the speed in a progress line', () => {
  it('is that of the last five seconds, whatever came before', () => {
    const rate = new SteadyRate(0);
    for (let ms = 0; ms <= 10_000; ms += 10) rate.reached(ms < 5000 ? ms * 1000 : 5_000_000 + (ms - 5000) * 10, ms);
    expect(rate.bytesPerSecond(10_000)).toBeCloseTo(10_000, -3);
  });

  it('does not count bytes of an earlier run, and starts again when bytes are dropped', () => {
    const rate = new SteadyRate(0);
    rate.reached(900_000, 0);
    rate.reached(901_000, 1000);
    expect(rate.bytesPerSecond(1000)).toBe(1000);
    rate.reached(100, 2000);
    rate.reached(2100, 3000);
    expect(rate.bytesPerSecond(3000)).toBe(2000);
  });

  it('falls while no bytes arrive', () => {
    const rate = new SteadyRate(0);
    rate.reached(0, 0);
    rate.reached(1000, 1000);
    expect(rate.bytesPerSecond(4000)).toBe(250);
    expect(rate.movedAt).toBe(1000);
  });
});
