import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import { PeerPace } from '#sources/peer/peer-pace';

describe('an answer of a peer that gives less than the others', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  /** @returns after how many seconds an answer of this rate is given up; undefined: not within 30 s */
  async function givenUpAfter(bytesPerSecond: number, usual: number | undefined): Promise<number | undefined> {
    const pace = new PeerPace(() => performance.now());
    if (usual !== undefined) {
      const whole = pace.watch(() => undefined);
      await jest.advanceTimersByTimeAsync(500);
      whole.took(usual / 2);
      whole.end(true);
    }
    let isGivenUp = false;
    const answer = pace.watch(() => (isGivenUp = true));
    for (let second = 1; second <= 30; second += 1) {
      answer.took(bytesPerSecond);
      await jest.advanceTimersByTimeAsync(1000);
      if (isGivenUp) return second;
    }
    answer.end(false);
    return undefined;
  }

  it.each<[string, number, number | undefined, number | undefined]>([
    ['after 4 s where it hardly moves', 2 * KIB, 300 * KIB, 4],
    ['after 10 s where it is one of ten on a slow link, and the others are quick', 100 * KIB, 100 * MIB, 10],
    ['after 10 s where all links are slow', 2 * KIB, 64 * KIB, 10],
    ['never where it gives a quarter of what the others give', 75 * KIB, 300 * KIB, undefined],
    ['never where no other has given anything yet', 2 * KIB, undefined, undefined],
  ])('L06 is left %s', async (_, rate, usual, seconds) => {
    expect(await givenUpAfter(rate, usual)).toBe(seconds);
  });
});
