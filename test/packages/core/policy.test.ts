import { describe, expect, it } from '@jest/globals';
import { LAYERS } from '#core/layer';
import { backoffMs, decide, DEFAULT_BUDGETS } from '#core/policy';

const budget = DEFAULT_BUDGETS.ipfs;
const hub = DEFAULT_BUDGETS.origin;
const alone = { failuresInARow: 1, corruptionSwitches: 0, otherSources: 0, hasOtherLayer: false };
/** The longest pauses: no jitter. */
const WHOLE = 0.999_999;

describe('a lost connection', () => {
  it('RE7 lets another source go on at once, and the source come back', () => {
    expect(decide({ kind: 'interrupted' }, { ...alone, otherSources: 1 }, budget, 0)).toMatchObject({
      do: 'next-source',
      again: true,
    });
  });

  it('RE7 asks a source three times in a row, also where it is the only one', () => {
    const [first, second, third] = [1, 2, 3].map((failuresInARow) =>
      decide({ kind: 'unreachable' }, { ...alone, failuresInARow }, budget, WHOLE),
    );
    expect([first, second]).toMatchObject([{ afterMs: 1000 }, { afterMs: 2000 }]);
    expect(third).toMatchObject({ do: 'next-source', again: false });
  });

  it.each([
    [10_000, 10_000],
    [10, 1000],
    [86_400_000, budget.retryAfterMaxMs],
  ])('waits for an origin that rests %i ms, as far as we wait at all', (retryAfterMs, afterMs) => {
    const decision = decide({ kind: 'unreachable', retryAfterMs }, alone, budget, WHOLE);
    expect(decision).toMatchObject({ do: 'retry-same', afterMs });
  });

  it('CH7 waits no longer than usual for an origin that rests where another layer could answer', () => {
    const failure = { kind: 'unreachable', retryAfterMs: 10_000 } as const;
    const decision = decide(failure, { ...alone, hasOtherLayer: true }, budget, WHOLE);
    expect(decision).toMatchObject({ do: 'retry-same', afterMs: 1000 });
  });
});

describe('a timeout', () => {
  const afterTimeouts = (failuresInARow: number, { ...of } = budget) =>
    decide({ kind: 'timed-out' }, { ...alone, failuresInARow }, of, WHOLE);

  it('RE5 CH1 is tried again after 1 and 2 s, and the gateway is left at the third in a row: two retries', () => {
    expect([1, 2].map((n) => afterTimeouts(n))).toMatchObject([
      { do: 'retry-same', afterMs: 1000 },
      { do: 'retry-same', afterMs: 2000 },
    ]);
    expect(afterTimeouts(3)).toMatchObject({ do: 'next-source', again: false });
  });

  it('RE5 is followed by 4 s where a budget allows a fourth try, and by no more than that', () => {
    const patient = { ...budget, triesPerSource: 6 };
    expect([1, 2, 3, 4, 5].map((n) => afterTimeouts(n, patient))).toMatchObject(
      [1000, 2000, 4000, 4000, 4000].map((afterMs) => ({ do: 'retry-same', afterMs })),
    );
  });

  it('CH3 is tried again after 2 and 4 s at a hub, which is left at the third in a row', () => {
    expect([1, 2].map((n) => afterTimeouts(n, hub))).toMatchObject([{ afterMs: 2000 }, { afterMs: 4000 }]);
    expect(afterTimeouts(3, hub)).toMatchObject({ do: 'next-source', again: false });
  });

  it('rests between half of the pause and all of it, so that a fleet does not return in step', () => {
    expect([0, 0.5, WHOLE].map((random) => backoffMs(2, budget, random))).toEqual([1000, 1500, 2000]);
  });
});

describe('corrupt bytes', () => {
  const afterSwitches = (corruptionSwitches: number) =>
    decide({ kind: 'digest-mismatch' }, { ...alone, corruptionSwitches, otherSources: 5 }, budget, 0);

  it('RE6 change the source at once, twice; the third time the layer is left', () => {
    expect([1, 2].map(afterSwitches)).toMatchObject([
      { do: 'next-source', again: false },
      { do: 'next-source', again: false },
    ]);
    expect(afterSwitches(3)).toMatchObject({ do: 'next-layer' });
  });

  it('RE6 has the same bound in every layer', () => {
    expect(LAYERS.map((layer) => DEFAULT_BUDGETS[layer].corruptionSwitches)).toEqual(LAYERS.map(() => 2));
  });
});
