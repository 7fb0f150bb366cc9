import { describe, expect, it } from '@jest/globals';
import { HOUR_MS } from '#core/units';
import { isWindowOpen, needsZones, nextOpening, windowProblem } from '../../../../apps/api/rollouts/window.ts';

const at = (text: string): number => Date.parse(text);
const window = (cron: string, tz: string, forMs = 6 * HOUR_MS) => ({ cron, forMs, tz });

describe('a window', () => {
  it.each([
    ['2026-11-29T21:59:59.999Z', false],
    ['2026-11-29T22:00:00.000Z', true],
    ['2026-11-30T03:59:59.999Z', true],
    ['2026-11-30T04:00:00.000Z', false],
  ])('from 22:00 for six hours is at %s open: %s', (moment, isOpen) => {
    expect(isWindowOpen([window('0 22 * * *', 'UTC')], at(moment))).toBe(isOpen);
  });

  it('is read in its zone, also on the night when clocks change', () => {
    const night = [window('0 22 * * *', 'Europe/Berlin')];
    // In summer 22:00 in Berlin is 20:00 UTC; on the last Sunday of October it becomes 21:00.
    expect(isWindowOpen(night, at('2026-10-24T20:00:00Z'))).toBe(true);
    expect(isWindowOpen(night, at('2026-10-25T20:30:00Z'))).toBe(false);
    expect(isWindowOpen(night, at('2026-10-25T21:00:00Z'))).toBe(true);
  });

  it('that opens next is the earliest of all, also while one is open', () => {
    const windows = [window('0 22 * * *', 'UTC'), window('0 22 * * *', 'Europe/Berlin')];
    expect(nextOpening(windows, at('2026-11-29T12:00:00Z')).toISOString()).toBe('2026-11-29T21:00:00.000Z');
    expect(nextOpening(windows, at('2026-11-29T21:00:00Z')).toISOString()).toBe('2026-11-29T22:00:00.000Z');
  });

  it('with the zone `host` depends on the host; a zone that is not known is UTC', () => {
    const night = [window('0 22 * * *', 'host')];
    expect(needsZones(night)).toBe(true);
    const noon = at('2026-11-29T13:30:00Z');
    expect(isWindowOpen(night, noon, 'Asia/Tokyo')).toBe(true);
    expect(isWindowOpen(night, noon, 'Europe/Berlin')).toBe(false);
    expect(isWindowOpen(night, at('2026-11-29T22:30:00Z'), 'Mars/Olympus')).toBe(true);
    expect(isWindowOpen(night, at('2026-11-29T22:30:00Z'))).toBe(true);
  });

  it('of several one is enough, and none means always', () => {
    const two = [window('0 1 * * *', 'UTC', HOUR_MS), window('0 13 * * *', 'UTC', HOUR_MS)];
    expect(isWindowOpen(two, at('2026-11-29T13:30:00Z'))).toBe(true);
    expect(isWindowOpen(two, at('2026-11-29T14:00:00Z'))).toBe(false);
    expect(isWindowOpen([], 0)).toBe(true);
  });

  it.each([
    ['0 22 * * *', 'host', undefined],
    ['0 22 * *', 'UTC', '"0 22 * *" has not five fields: minute hour day month weekday'],
    ['0 22 * * *', 'Mars/Olympus', 'in Mars/Olympus'],
    ['0 0 31 2 *', 'UTC', 'names no moment to come'],
  ])('%s in %s is refused with words where it is wrong', (cron, tz, problem) => {
    const found = windowProblem({ cron, tz });
    if (problem === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(problem);
  });
});
