import { describe, expect, it } from '@jest/globals';
import { admitted } from '#database/sites/site-budgets';

describe('the byte budget of a site', () => {
  const work = (...bytes: number[]) => bytes.map((one, index) => ({ host: `h${index}`, bytes: one }));

  it.each([
    ['up to the budget itself', { bytes: 100, usedBytes: 60 }, work(20, 20, 1), 2],
    ['not one byte beyond it', { bytes: 100, usedBytes: 60 }, work(20, 21), 1],
    ['none behind a host that does not fit, though it would', { bytes: 100, usedBytes: 60 }, work(50, 10), 0],
    ['a host that lacks nothing, also when all is used', { bytes: 100, usedBytes: 100 }, work(0, 1), 1],
    ['a host that lacks more than the budget, when nothing was begun', { bytes: 100, usedBytes: 0 }, work(500, 1), 1],
    ['such a host not, when something was begun', { bytes: 100, usedBytes: 1 }, work(500, 1), 0],
    ['such a host behind hosts that lack nothing', { bytes: 100, usedBytes: 0 }, work(0, 500, 1), 2],
    ['all, when there is room', { bytes: 100, usedBytes: 0 }, work(40, 60), 2],
  ])('N61 admits %s', (_what, budget, wanted, expected) => {
    expect(admitted(budget, wanted)).toBe(expected);
  });
});
