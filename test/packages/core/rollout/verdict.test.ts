import { describe, expect, it } from '@jest/globals';
import { allowedFailures, isOutOfReach, isThresholdMet, requiredHosts, verdictEvent } from '#core/rollout/verdict';

describe('the verdict of a rollout, in integers', () => {
  it('needs 236 of 240 hosts at 98 % and allows 4 failures', () => {
    expect(requiredHosts(9_800, 240)).toBe(236);
    expect(allowedFailures(9_800, 240)).toBe(4);
  });

  it.each([
    [235, false],
    [236, true],
    [237, true],
  ])('with %i of 240 at 98 % the threshold is met: %s', (succeeded, expected) => {
    expect(isThresholdMet(9_800, { targeted: 240, succeeded, failed: 0 })).toBe(expected);
  });

  it('is out of reach with the fifth failure, not with the fourth', () => {
    expect(isOutOfReach(9_800, { targeted: 240, succeeded: 0, failed: 4 })).toBe(false);
    expect(isOutOfReach(9_800, { targeted: 240, succeeded: 0, failed: 5 })).toBe(true);
  });

  it('agrees with itself at every number of hosts and share', () => {
    for (let targeted = 1; targeted <= 60; targeted += 1)
      for (let share = 0; share <= 10_000; share += 125) {
        const required = requiredHosts(share, targeted);
        const at = (succeeded: number) => ({ targeted, succeeded, failed: targeted - succeeded });
        expect(isThresholdMet(share, at(required))).toBe(true);
        if (required > 0) expect(isThresholdMet(share, at(required - 1))).toBe(false);
        expect(isOutOfReach(share, at(required))).toBe(false);
        if (required > 0) expect(isOutOfReach(share, at(required - 1))).toBe(true);
      }
  });

  it('says succeeded only when every host has it', () => {
    expect(verdictEvent(5_000, { targeted: 4, succeeded: 4, failed: 0 }, false)).toBe('succeed');
    expect(verdictEvent(5_000, { targeted: 4, succeeded: 2, failed: 2 }, false)).toBe('succeed_partly');
    expect(verdictEvent(5_000, { targeted: 4, succeeded: 1, failed: 3 }, false)).toBe('fail');
    expect(verdictEvent(5_000, { targeted: 4, succeeded: 1, failed: 3 }, true)).toBe('time_out');
    expect(verdictEvent(5_000, { targeted: 4, succeeded: 2, failed: 2 }, true)).toBe('succeed_partly');
  });
});
