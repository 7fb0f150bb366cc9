import { describe, expect, it } from '@jest/globals';
import { decide, DEFAULT_BUDGETS } from '#core/policy';

const budget = DEFAULT_BUDGETS.ipfs;
const alone = { failuresInARow: 1, corruptionSwitches: 0, otherSources: 0, hasOtherLayer: false };

describe('a lost connection', () => {
  it('RE7 lets somebody else go on at once, and the source come back', () => {
    expect(decide({ kind: 'interrupted' }, { ...alone, otherSources: 1 }, budget, 0)).toMatchObject({
      do: 'next-source',
      again: true,
    });
  });

  it('RE5 rests 1, 2 and 4 s where nobody else is, and leaves at the third in a row', () => {
    const pauses = [1, 2].map((failuresInARow) =>
      decide({ kind: 'unreachable' }, { ...alone, failuresInARow }, budget, 0.999_999),
    );
    expect(pauses).toMatchObject([{ afterMs: 1000 }, { afterMs: 2000 }]);
    expect(decide({ kind: 'unreachable' }, { ...alone, failuresInARow: 3 }, budget, 0)).toMatchObject({
      do: 'next-source',
      again: false,
    });
  });

  it.each([
    [10_000, 10_000],
    [10, 1000],
    [86_400_000, budget.retryAfterMaxMs],
  ])('waits for an origin that rests %i ms, as far as we wait at all', (retryAfterMs, afterMs) => {
    const decision = decide({ kind: 'unreachable', retryAfterMs }, alone, budget, 0.999_999);
    expect(decision).toMatchObject({ do: 'retry-same', afterMs });
  });

  it('CH7 waits no longer than usual for an origin that rests where another layer could answer', () => {
    const failure = { kind: 'unreachable', retryAfterMs: 10_000 } as const;
    const decision = decide(failure, { ...alone, hasOtherLayer: true }, budget, 0.999_999);
    expect(decision).toMatchObject({ do: 'retry-same', afterMs: 1000 });
  });
});
