import { describe, expect, it } from '@jest/globals';
import { fc } from '../../../helpers/properties.ts';
import { choosePieces, type PieceCounts } from '#core/swarm/choose-pieces';
import { seeded } from './simulator.ts';

const NONE: ReadonlySet<number> = new Set();
const lacksAll = (): boolean => false;
const countsOf = (holders: number[], siteHolders = holders, more: Partial<PieceCounts> = {}): PieceCounts => ({
  ...{ holders, siteHolders, originLeases: NONE, siteLeases: NONE, ...more },
});

describe('pieces that a host is leased', () => {
  it('L11 names pieces that no host has first, then those of the fewest hosts of other sites', () => {
    const chosen = choosePieces(lacksAll, countsOf([3, 0, 1, 2, 1], [0, 0, 0, 2, 1]), 10, seeded(1));
    expect(chosen).toEqual([
      { piece: 1, from: 'origin' },
      { piece: 2, from: 'site' },
      { piece: 0, from: 'site' },
    ]);
  });

  it('L11 leaves out what is leased: for the origin by any host, between sites by one of the own site', () => {
    const leases = { originLeases: new Set([0]), siteLeases: new Set([2]) };
    const chosen = choosePieces(lacksAll, countsOf([0, 0, 1, 1], [0, 0, 0, 0], leases), 10, seeded(1));
    expect(chosen).toEqual([
      { piece: 1, from: 'origin' },
      { piece: 3, from: 'site' },
    ]);
  });

  it('L11 names pieces of other sites beside however many that no host has', () => {
    const holders = [...Array<number>(99).fill(0), 1];
    const chosen = choosePieces(lacksAll, countsOf(holders, Array(100).fill(0)), 2, seeded(1));
    expect(chosen.map(({ from }) => from)).toEqual(['origin', 'origin', 'site']);
    expect(chosen[2]).toEqual({ piece: 99, from: 'site' });
  });

  it('gives hosts that ask at the same moment different pieces', () => {
    const first = Array.from({ length: 20 }, (_, n) =>
      choosePieces(lacksAll, countsOf(Array(128).fill(0)), 1, seeded(n)),
    );
    expect(new Set(first.map(([choice]) => choice!.piece)).size).toBeGreaterThan(10);
  });

  it('L11 never names a piece that the host or its site has, that is leased, or twice', () => {
    const piece = fc.record({
      ...{ has: fc.boolean(), near: fc.nat(3), far: fc.nat(3), origin: fc.boolean(), site: fc.boolean() },
    });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), fc.nat(80), fc.nat(), (pieces, most, seed) => {
        const marked = (key: 'origin' | 'site') => new Set(pieces.flatMap((one, index) => (one[key] ? [index] : [])));
        const holders = pieces.map(({ near, far }) => near + far);
        const siteHolders = pieces.map(({ near }) => near);
        const leases = { originLeases: marked('origin'), siteLeases: marked('site') };
        const counts = countsOf(holders, siteHolders, leases);
        const chosen = choosePieces((index) => pieces[index]!.has, counts, most, seeded(seed));
        for (const kind of ['origin', 'site'])
          expect(chosen.filter(({ from }) => from === kind).length).toBeLessThanOrEqual(most);
        expect(new Set(chosen.map((choice) => choice.piece)).size).toBe(chosen.length);
        for (const choice of chosen) {
          const { has, near, far, origin, site } = pieces[choice.piece]!;
          expect([has, near]).toEqual([false, 0]);
          expect(choice.from).toBe(far === 0 ? 'origin' : 'site');
          expect(choice.from === 'origin' ? origin : site).toBe(false);
        }
        const order = chosen.map((choice) => holders[choice.piece]!);
        expect(order).toEqual([...order].sort((a, b) => a - b));
      }),
    );
  });
});
