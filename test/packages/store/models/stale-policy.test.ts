import { describe, expect, it } from '@jest/globals';
import { DAY_MS } from '#core/units';
import { staleDecision } from '#store/models/stale-policy';

const NOW = Date.UTC(2026, 0, 1);
const decide = (ageMs: number, lastCheck: 'none' | 'failed' | 'offline') =>
  staleDecision({ nowMs: NOW, confirmedAtMs: NOW - ageMs, lastCheck });

describe('staleDecision', () => {
  it.each([
    [90 * DAY_MS, 'none', 'fresh'],
    [90 * DAY_MS, 'failed', 'fresh'],
    [90 * DAY_MS + 1, 'none', 'stale'],
    [97 * DAY_MS, 'failed', 'stale-check-failed'],
    [97 * DAY_MS + 1, 'failed', 'expired'],
    [365 * DAY_MS, 'offline', 'stale-offline'],
    [365 * DAY_MS + 1, 'offline', 'expired'],
    [-DAY_MS, 'none', 'fresh'],
  ] as const)('VE4 at an age of %d ms after a check that ended %s content is %s', (ageMs, lastCheck, state) => {
    expect(decide(ageMs, lastCheck).state).toBe(state);
  });

  it('VE4 serves stale content at once, asks behind it, and says until when', () => {
    expect(decide(91 * DAY_MS, 'failed')).toEqual({
      ...{ state: 'stale-check-failed', serve: true, check: true },
      untilMs: NOW + 6 * DAY_MS,
    });
    expect(decide(98 * DAY_MS, 'failed')).toEqual({ state: 'expired', serve: false, check: true });
  });
});
