import { describe, expect, it } from '@jest/globals';
import { MeasuredSlots } from '#core/swarm/measured-slots';

/** Transfers of a link that gives so many a second in all, and so many to each of them. */
function slotsAfter(transfers: number, total: number, each: number): number {
  const measured = new MeasuredSlots(12);
  for (let [ended, nowMs] = [0, 0]; ended < transfers; ended += 1) {
    nowMs += 1000 / Math.min(total, each * measured.slots);
    measured.ended(nowMs);
  }
  return measured.slots;
}

describe('transfers of a host at once', () => {
  it('N6 stay two on a link that two of them fill', () => {
    for (const transfers of [0, 10, 50]) expect(slotsAfter(transfers, 10, 10)).toBeLessThanOrEqual(3);
    expect(slotsAfter(200, 10, 10)).toBeLessThanOrEqual(3);
  });

  it('N6 become more, up to a bound, where each of them is slow', () => {
    expect(slotsAfter(300, Infinity, 1)).toBe(12);
  });

  it('N6 are not judged by a time in which there was nothing to do', () => {
    const measured = new MeasuredSlots(12);
    for (let nowMs = 0; nowMs < 1_000_000; nowMs += 10_000) {
      measured.idle();
      measured.ended(nowMs);
    }
    expect(measured.slots).toBe(2);
  });
});
