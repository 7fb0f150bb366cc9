import { describe, expect, it } from '@jest/globals';
import { SourceState } from '#transfer/run/source-state';
import { fakeSource } from '../../../helpers/fake-source.ts';

/** @returns whether the source is still believed after each of its bad leaves, among so many good ones before them */
function strikes(goodBefore: number, badLeaves: number): boolean[] {
  const state = new SourceState(fakeSource(Buffer.alloc(1)), 0, 'configured', 0);
  state.leavesSeen = goodBefore;
  return Array.from({ length: badLeaves }, () => !state.strike());
}

describe('E05 a source that sends bad leaves', () => {
  it('is kept after one and two, and dropped after three', () => {
    expect(strikes(0, 3)).toEqual([true, true, false]);
    expect(strikes(1_000_000, 3)).toEqual([true, true, false]);
  });

  it('is dropped after the second when that is more than 2 % of at least 50 leaves', () => {
    expect(strikes(48, 2)).toEqual([true, false]);
    expect(strikes(97, 2)).toEqual([true, false]);
  });

  it('is kept when two are exactly 2 %, or when fewer than 50 leaves were seen', () => {
    expect(strikes(98, 2)).toEqual([true, true]);
    expect(strikes(47, 2)).toEqual([true, true]);
  });

  it('is kept when one is exactly 2 % of 50 leaves', () => {
    expect(strikes(49, 1)).toEqual([true]);
  });
});
