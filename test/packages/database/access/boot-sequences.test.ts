import { describe, expect, it } from '@jest/globals';
import { withSequence, type BootSequences } from '#database/access/boot-sequences';

/** @returns the boots after these batches, and which of them were repeats */
function after(batches: readonly (readonly [boot: number, sequence: number])[]): {
  boots: readonly BootSequences[];
  repeats: number[];
} {
  let boots: readonly BootSequences[] = [];
  const repeats: number[] = [];
  batches.forEach(([boot, sequence], index) => {
    const next = withSequence(boots, boot, sequence);
    if (next === undefined) repeats.push(index);
    else boots = next;
  });
  return { boots, repeats };
}

describe('sequences of the batches of a host', () => {
  it('N46 are one range when they come in order', () => {
    const { boots, repeats } = after([0, 1, 2, 3].map((sequence) => [7, sequence] as const));
    expect(repeats).toEqual([]);
    expect(boots).toEqual([{ boot: 7, seen: [[0, 3]] }]);
  });

  it('N46 are taken in any order, each once', () => {
    const order = [5, 0, 2, 1, 2, 9, 5, 4, 3, 0];
    const { boots, repeats } = after(order.map((sequence) => [7, sequence] as const));
    expect(repeats).toEqual([4, 6, 9]);
    expect(boots).toEqual([
      {
        boot: 7,
        seen: [
          [0, 5],
          [9, 9],
        ],
      },
    ]);
  });

  it('N46 of the boots before are taken too, and of boots of long ago never', () => {
    const { boots, repeats } = after([
      ...([10, 20, 30, 40] as const).map((boot) => [boot, 0] as const),
      ...[[30, 1] as const, [30, 1] as const, [10, 1] as const, [5, 0] as const],
      ...[[50, 0] as const, [10, 2] as const],
    ]);
    expect(repeats).toEqual([5, 7, 9]);
    expect(boots.map(({ boot }) => boot)).toEqual([50, 40, 30, 20]);
  });

  it('N46 that are lost take no room without end', () => {
    const { boots } = after(Array.from({ length: 3000 }, (_, index) => [1, index * 2] as const));
    expect(boots[0]!.seen.length).toBeLessThanOrEqual(1000);
    expect(withSequence(boots, 1, 5999)).toBeDefined();
    expect(withSequence(boots, 1, 1)).toBeUndefined();
  });

  it('N46 agree with a set, whatever the order', () => {
    let seed = 1;
    const random = (): number => (seed = (seed * 16_807) % 2_147_483_647);
    const known = new Set<number>();
    let boots: readonly BootSequences[] = [];
    for (let round = 0; round < 2000; round += 1) {
      const sequence = random() % 300;
      const next = withSequence(boots, 1, sequence);
      expect(next === undefined).toBe(known.has(sequence));
      known.add(sequence);
      boots = next ?? boots;
    }
  });
});
