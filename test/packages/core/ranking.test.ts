import { describe, expect, it } from '@jest/globals';
import { rank } from '#core/ranking';

const names = (candidates: Parameters<typeof rank>[0]) => rank(candidates).map((ranked) => ranked.name);

describe('ME5 ranking', () => {
  it('keeps the configured order without measurements', () => {
    expect(names([{ name: 'a' }, { name: 'b' }, { name: 'c' }])).toEqual(['a', 'b', 'c']);
  });

  it('moves a failing source behind a sound one', () => {
    const health = { successRate: 0.5, bytesPerSecond: 1e6 };
    expect(
      names([
        { name: 'a', health },
        { name: 'b', health: { ...health, successRate: 1 } },
      ]),
    ).toEqual(['b', 'a']);
  });

  it('moves a much faster source forward, a little faster one not', () => {
    const at = (bytesPerSecond: number) => ({ successRate: 1, bytesPerSecond });
    expect(
      names([
        { name: 'a', health: at(1e6) },
        { name: 'b', health: at(1.1e6) },
      ]),
    ).toEqual(['a', 'b']);
    expect(
      names([
        { name: 'a', health: at(1e6) },
        { name: 'b', health: at(9e6) },
      ]),
    ).toEqual(['b', 'a']);
  });

  it('leaves a dead source in the list, last', () => {
    expect(names([{ name: 'a', health: { successRate: 0, bytesPerSecond: undefined } }, { name: 'b' }])).toEqual([
      'b',
      'a',
    ]);
  });

  it('keeps the order that an admin set, whatever was measured, and puts the others behind it', () => {
    const dead = { successRate: 0, bytesPerSecond: 1 };
    const fast = { successRate: 1, bytesPerSecond: 1e9 };
    const ranked = rank([
      { name: 'a', health: fast },
      { name: 'b', setPlace: 2 },
      { name: 'c' },
      { name: 'd', health: dead, setPlace: 1 },
    ]);
    expect(ranked.map(({ name }) => name)).toEqual(['d', 'b', 'a', 'c']);
    expect(ranked[1]!.why).toBe('set 2nd by an admin, configured 2nd');
  });

  it('explains itself', () => {
    const [best] = rank([{ name: 'a', health: { successRate: 0.987, bytesPerSecond: 2e6 } }]);
    expect(best!.why).toBe('configured 1st, 99 % of its tries succeed, 1.0 times the usual speed');
  });
});
