import { describe, expect, it } from '@jest/globals';
import { fc } from '../../../helpers/properties.ts';
import { planLeases, type LeasePlan, type LeaseRound, type SwarmSight } from '#core/swarm/lease-plan';
import { leaseMs } from '#core/swarm/lease-time';
import { FIRST_SLOTS, nextSlots, shareOfSlots, type SlotTrial } from '#core/swarm/slot-trial';
import { MIB } from '#core/units';
import { seeded } from './simulator.ts';

const NONE: ReadonlySet<number> = new Set();
const FIRST: LeaseRound = { number: '0', slots: FIRST_SLOTS, leases: 0, totalMs: 0 };
const SIGHT: SwarmSight = {
  ...{ has: () => false, pieceBytes: MIB, leases: 0, want: 4, isHidden: false, isHiddenFar: false, isPaused: false },
  ...{ leechers: 1, siteLeechers: 1, ownMs: undefined, averageMs: undefined, rounds: { origin: FIRST, site: FIRST } },
  counts: { holders: [0, 0, 0], siteHolders: [0, 0, 0], originLeases: NONE, siteLeases: NONE },
};
const plan = (change: Partial<SwarmSight>) => planLeases({ ...SIGHT, ...change }, seeded(3));
const counts = (holders: number[], siteHolders = holders) => ({ ...SIGHT.counts, holders, siteHolders });

describe('the time of a lease', () => {
  it.each([
    ['four times what the host needs', { ownMs: 2000, averageMs: 1900 }, 8000],
    ['at least three seconds', { ownMs: 10, averageMs: 10 }, 3000],
    ['the average of all for a host without one', { ownMs: undefined, averageMs: 5000 }, 20_000],
    ['bounded for a host that is much slower than others', { ownMs: 600_000, averageMs: 1000 }, 16_000],
    ['a slow request while nothing was measured', { ownMs: undefined, averageMs: undefined }, 16_000],
  ])('L12 is %s', (_, times, expected) => {
    expect(leaseMs({ pieceBytes: MIB, ...times })).toBe(expected);
  });
});

describe('a plan of leases', () => {
  it('L11 gives every host an equal part of the leases on the origin', () => {
    const slots = { origin: 2, site: 2 };
    expect(plan({ leechers: 1 })).toMatchObject({ share: { origin: 2, site: 2 }, slots, most: 4, next: [] });
    expect(plan({ leechers: 20 })).toMatchObject({ share: { origin: 1, site: 2 }, slots });
    expect(plan({ leechers: 20, siteLeechers: 10 })).toMatchObject({ share: { origin: 1, site: 1 }, slots });
    expect(shareOfSlots(64, 20)).toBe(4);
    expect(shareOfSlots(2, 0)).toBe(2);
  });

  it('L14 gives a host that others cannot fetch from nothing while another one can fetch', () => {
    expect(plan({ isHidden: true })).toBe('hidden');
    expect(plan({ isHidden: true, siteLeechers: 0, leechers: 0 })).toMatchObject({ share: { origin: 2 } });
  });

  it('L14 gives a host that other sites cannot fetch from only what they have, while they can fetch', () => {
    const pieces = { counts: counts([1, 0, 1], [0, 0, 1]) };
    const ofSite = { pieces: [{ piece: 0, from: 'site' }] };
    expect(plan({ isHiddenFar: true, ...pieces })).toMatchObject(ofSite);
    expect(plan({ isHidden: true, siteLeechers: 0, ...pieces })).toMatchObject(ofSite);
    expect(plan({ isHiddenFar: true })).toBe('leased');
    expect(plan({ isHiddenFar: true, leechers: 0, ...pieces })).toMatchObject({
      pieces: [{ from: 'origin' }, { from: 'site' }],
    });
  });

  it('L16 pauses what the origin is asked for, not what other sites have', () => {
    expect(plan({ isPaused: true })).toBe('paused');
    const other = plan({ isPaused: true, counts: counts([1, 0, 1], [0, 0, 1]) }) as LeasePlan;
    expect(other.pieces[0]).toEqual({ piece: 1, from: 'origin' });
    expect(other.pieces[1]).toEqual({ piece: 0, from: 'site' });
  });

  it('says why there is nothing to lease', () => {
    expect(plan({ counts: counts([1, 2, 1]) })).toBe('held');
    const leased = { ...counts([0, 1, 1]), originLeases: new Set([0]) };
    expect(plan({ counts: leased })).toBe('leased');
  });

  it('begins the next round when as many leases ended as there may be', () => {
    const over = { ...FIRST, leases: 2, totalMs: 2000 };
    const goesOn = { slots: { ...FIRST_SLOTS, rounds: FIRST_SLOTS.rounds - 1 }, round: '0' };
    expect(plan({ rounds: { origin: over, site: FIRST } })).toMatchObject({ next: [{ from: 'origin', ...goesOn }] });
    expect(plan({ rounds: { origin: FIRST, site: over } })).toMatchObject({ next: [{ from: 'site', ...goesOn }] });
    const onTrial = { ...over, number: '7', slots: { ...FIRST_SLOTS, rounds: 0 } };
    const ended = plan({ rounds: { origin: onTrial, site: FIRST } });
    const slots = { slots: 3, before: 2, rate: 0.002, rounds: 0 };
    expect(ended).toMatchObject({ next: [{ from: 'origin', round: '7', slots }], slots: { origin: 3, site: 2 } });
  });

  it('L11 bounds the pieces that enter a site at once, however much more they bring', () => {
    const slots = { slots: 8, before: 0, rate: 0.001, rounds: 0 };
    const over = { ...FIRST, slots, leases: 8, totalMs: 80 };
    const found = plan({ rounds: { origin: over, site: over } });
    expect(found).toMatchObject({ slots: { origin: 12, site: 8 }, next: [{ from: 'origin' }, { from: 'site' }] });
  });
});

/** Rounds against an origin that gives so many pieces a second in all, and so many over each connection. */
function slotsAfter(rounds: number, total: number, each: number): SlotTrial {
  let now = FIRST_SLOTS;
  for (let round = 0; round < rounds; round += 1) {
    const rate = Math.min(each, total / now.slots);
    now = nextSlots(now, now.slots, (now.slots * 1000) / rate);
  }
  return now;
}

describe('leases on the origin at once', () => {
  it('grow at an origin that limits each connection, up to a bound', () => {
    expect(slotsAfter(20, Infinity, 5).slots).toBe(256);
  });

  it('stay few at an origin that is at its limit', () => {
    for (let rounds = 1; rounds < 60; rounds += 1) expect(slotsAfter(rounds, 10, 100).slots).toBeLessThanOrEqual(3);
  });

  it('come near the number that uses all that the origin gives', () => {
    for (let rounds = 20; rounds < 40; rounds += 1) {
      expect(slotsAfter(rounds, 100, 5).slots).toBeGreaterThanOrEqual(18);
      expect(slotsAfter(rounds, 100, 5).slots).toBeLessThanOrEqual(42);
    }
  });

  it('are always at least two, whatever is measured', () => {
    const rounds = fc.array(fc.tuple(fc.integer({ min: 1, max: 300 }), fc.nat(100_000)), { maxLength: 100 });
    fc.assert(
      fc.property(rounds, (measured) => {
        let now = FIRST_SLOTS;
        for (const [leases, totalMs] of measured) {
          now = nextSlots(now, leases, totalMs);
          expect(now.slots).toBeGreaterThanOrEqual(2);
          expect(now.slots).toBeLessThanOrEqual(256);
        }
      }),
    );
  });
});
