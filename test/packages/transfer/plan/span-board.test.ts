import { fc } from '../../../helpers/properties.ts';
import { describe, expect, it } from '@jest/globals';
import { pieceGrid } from '#transfer/plan/grid';
import { SpanBoard, type Claim } from '#transfer/plan/span-board';

const UNITS = 20;
const SOURCES = 3;

/** Units of one byte each. */
const boardOf = (count = UNITS): SpanBoard => new SpanBoard(pieceGrid(count, 1));

const spanOf = ({ next, end }: Claim): [number, number] => [next, end];

/** What a claim will still ask for. */
const toCome = (board: SpanBoard, claim: Claim): number[] =>
  Array.from({ length: Math.max(0, claim.end - claim.next) }, (_, index) => claim.next + index).filter(
    (unit) => !board.passesOver(claim, unit),
  );

describe('the board, when a source lacks some units', () => {
  it('offers set-aside units to other sources, but none that a try is fetching', () => {
    const board = boardOf();
    const [own, second, third] = [board.claim(0, 4)!, board.claim(1, 8)!, board.claim(1, 8)!];
    expect([own, second, third].map(spanOf)).toEqual([
      [0, 4],
      [4, 12],
      [12, 20],
    ]);
    board.withhold(0, 0);
    board.setAside(1, 17, 0);
    expect(spanOf(board.claim(2, 8)!)).toEqual([0, 4]);
    expect(board.claim(0, 8)).toBeUndefined();
    expect(board.claim(1, 8)).toBeUndefined();
  });

  it('readmits a source to free units while its first claim continues', () => {
    const board = boardOf();
    const own = board.claim(0, 20)!;
    board.withhold(0, 0);
    board.setAside(1, 4, 0);
    own.next = 1;
    expect(spanOf(board.claim(1, 2)!)).toEqual([0, 2]);
    expect(board.readmit(0)).toBe(true);
    expect(spanOf(board.claim(0, 20)!)).toEqual([2, 4]);
    expect(toCome(board, own)).toEqual(Array.from({ length: 16 }, (_, index) => index + 4));
  });

  it('keeps a unit for the other try that fetches it when one of two sent wrong bytes', () => {
    const board = boardOf();
    const claim = board.claim(0, 4)!;
    expect(spanOf(board.duplicate(claim, 1)!)).toEqual([0, 4]);
    board.exclude(0, 1);
    expect(spanOf(board.claim(2, 4)!)).toEqual([4, 8]);
  });
});

describe('the board, when hosts divide a file', () => {
  it('L12 counts what has arrived of units that are not complete, by the part of the file that they begin in', () => {
    const board = new SpanBoard(pieceGrid(40, 4));
    const [one, two] = [board.claim(0, 8)!, board.claim(1, 8)!];
    const begun = () => [0, 8, 16].map((start) => board.begunBytes({ start, end: start + 8 }));
    expect(begun()).toEqual([0, 0, 0]);
    [one.arrivedTo, two.arrivedTo] = [3, 9];
    expect(begun()).toEqual([3, 1, 0]);
    [one.next, one.arrivedTo] = [1, 6];
    expect(begun()).toEqual([2, 1, 0]);
    board.release(one);
    two.next = 4;
    expect(begun()).toEqual([0, 0, 0]);
  });

  it('N6 begins a claim with the free unit of the least rank that the source may send', () => {
    const board = boardOf();
    board.limitTo((unit) => unit !== 7);
    const rank = (unit: number): number => Math.abs(unit - 7);
    expect(spanOf(board.claim(0, 2, rank)!)).toEqual([6, 7]);
    expect(spanOf(board.claim(0, 2, rank)!)).toEqual([8, 10]);
    expect(spanOf(board.claim(0, 2, rank)!)).toEqual([5, 6]);
  });

  it('N6 says of a claim whether other tries brought the rest of it', () => {
    const board = boardOf();
    const claim = board.claim(0, 3)!;
    for (const unit of [0, 1]) board.done(unit, 1);
    expect(board.isNeedless(claim)).toBe(false);
    board.writing(2);
    expect(board.isNeedless(claim)).toBe(true);
    // Its own last unit is being written: the response is about to end by itself.
    claim.next = 3;
    expect(board.isNeedless(claim)).toBe(false);
  });
});

type Step =
  | { readonly do: 'claim'; readonly source: number; readonly bytes: number }
  | { readonly do: 'advance' | 'miss' | 'release' | 'split'; readonly which: number; readonly source: number }
  | { readonly do: 'duplicate'; readonly which: number; readonly source: number }
  | { readonly do: 'setAside'; readonly source: number; readonly first: number; readonly length: number }
  | { readonly do: 'readmit'; readonly source: number }
  | { readonly do: 'drop'; readonly unit: number };

const source = fc.nat({ max: SOURCES - 1 });
const unit = fc.nat({ max: UNITS - 1 });
const which = fc.nat();
const steps = fc.array(
  fc.oneof<fc.Arbitrary<Step>[]>(
    fc.record({ do: fc.constant('claim' as const), source, bytes: fc.integer({ min: 1, max: UNITS }) }),
    fc.record({ do: fc.constantFrom('advance' as const, 'miss' as const), which, source }),
    fc.record({ do: fc.constantFrom('release' as const, 'split' as const, 'duplicate' as const), which, source }),
    fc.record({ do: fc.constant('setAside' as const), source, first: unit, length: unit }),
    fc.record({ do: fc.constant('readmit' as const), source }),
    fc.record({ do: fc.constant('drop' as const), unit }),
  ),
  { maxLength: 60 },
);

const deliver = (board: SpanBoard, claim: Claim): void => {
  if (!board.passesOver(claim, claim.next)) {
    board.writing(claim.next);
    board.done(claim.next, claim.source);
  }
  claim.next += 1;
};

const miss = (board: SpanBoard, claim: Claim): void => {
  board.withhold(claim.next, claim.source);
  claim.next += 1;
};

/** Carries out a step where it is possible. @returns the claim that it made */
function carryOut(board: SpanBoard, step: Step): Claim | undefined {
  switch (step.do) {
    case 'claim':
      return board.claim(step.source, step.bytes);
    case 'setAside':
      return void board.setAside(step.first, Math.min(UNITS, step.first + step.length), step.source);
    case 'readmit':
      return void board.readmit(step.source);
    case 'drop':
      return void (board.isDone(step.unit) && board.drop(step.unit));
    default:
      return withClaim(board, step);
  }
}

function withClaim(board: SpanBoard, step: Extract<Step, { which: number }>): Claim | undefined {
  const claims = [...board.claims];
  const claim = claims[step.which % Math.max(1, claims.length)];
  if (claim === undefined) return undefined;
  const isAtWork = claim.next < claim.end;
  if (step.do === 'advance' && isAtWork) deliver(board, claim);
  if (step.do === 'miss' && isAtWork) miss(board, claim);
  if (step.do === 'release') board.release(claim);
  if (step.do === 'split' && isAtWork) return board.split(claim, step.source, 1);
  if (step.do === 'duplicate' && claim.source !== step.source) return board.duplicate(claim, step.source);
  return undefined;
}

describe('the board, after any sequence of events', () => {
  it('gives a unit to two tries only as a duplicate, and its free units are those that no try is fetching', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const board = boardOf();
        for (const step of taken) {
          const made = carryOut(board, step);
          if (made !== undefined) expect(made.end).toBeGreaterThan(made.next);
          const claims = [...board.claims];
          const handedOut = claims.filter((claim) => !claim.duplicate).flatMap((claim) => toCome(board, claim));
          expect(new Set(handedOut).size).toBe(handedOut.length);
          const fetched = new Set(claims.flatMap((claim) => toCome(board, claim)));
          const missing = Array.from({ length: UNITS }, (_, index) => index).filter((index) => !board.isTaken(index));
          expect(board.freeBytes).toBe(missing.filter((index) => !fetched.has(index)).length);
        }
        for (const claim of [...board.claims]) board.release(claim);
        expect(board.freeBytes).toBe(UNITS - board.doneBytes);
      }),
      { numRuns: 1000 },
    );
  });
});
