import { describe, expect, it } from '@jest/globals';
import { exponentialMs, jitteredMs } from '#core/async/exponential-pause';

describe('exponentialMs', () => {
  it.each([
    [1, 100],
    [2, 200],
    [4, 800],
    [7, 5000],
    [10_000, 5000],
  ])('after failure %i in a row it is %i ms', (failures, expected) => {
    expect(exponentialMs(100, failures, 5000)).toBe(expected);
  });
});

describe('jitteredMs', () => {
  it('is between half and all of the pause', () => {
    expect([0, 0.5, 0.999].map((random) => jitteredMs(1000, random))).toEqual([500, 750, 1000]);
  });
});
