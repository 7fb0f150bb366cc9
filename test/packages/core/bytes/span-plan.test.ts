import { fc } from '../../../helpers/properties.ts';
import { describe, expect, it } from '@jest/globals';
import {
  isLaggard,
  isTooSlow,
  MAX_SPAN_BYTES,
  median,
  MIN_SPAN_BYTES,
  pieceBytesFor,
  spanBytesFor,
  wantsConnection,
} from '#core/bytes/span-plan';
import { GIB, KIB, MIB } from '#core/units';

describe('span size', () => {
  const alone = { bytesPerSecond: 5 * MIB, freeBytes: 10 * GIB, connections: 1 };

  it('lasts about six seconds, between 4 and 64 MiB', () => {
    expect(spanBytesFor(alone)).toBe(30 * MIB);
    expect(spanBytesFor({ ...alone, bytesPerSecond: 1000 })).toBe(MIN_SPAN_BYTES);
    expect(spanBytesFor({ ...alone, bytesPerSecond: GIB })).toBe(MAX_SPAN_BYTES);
  });

  it('shrinks when the rest must be shared', () => {
    expect(spanBytesFor({ ...alone, bytesPerSecond: GIB, freeBytes: 80 * MIB, connections: 4 })).toBe(10 * MIB);
  });

  it('is as large as needed where requests are limited', () => {
    const limited = { ...alone, bytesPerSecond: 100 * MIB, requestsPerMinute: 15 };
    expect(spanBytesFor(limited)).toBe(400 * MIB);
  });

  it('is a usable number in any situation', () => {
    fc.assert(
      fc.property(
        fc.option(fc.double({ min: 0, max: 1e11, noNaN: true }), { nil: undefined }),
        fc.nat(),
        fc.integer({ min: 1, max: 64 }),
        (bytesPerSecond, freeBytes, connections) => {
          const bytes = spanBytesFor({ bytesPerSecond, freeBytes, connections });
          return bytes >= MIN_SPAN_BYTES && bytes <= MAX_SPAN_BYTES;
        },
      ),
    );
  });
});

describe('pieces', () => {
  it.each([
    [0, 4 * KIB],
    [100 * KIB, 4 * KIB],
    [64 * MIB, 8 * KIB],
    [2 * GIB, 256 * KIB],
    [100 * GIB, MIB],
  ])('of a file of %i bytes have %i', (size, piece) => expect(pieceBytesFor(size)).toBe(piece));
});

describe('§6 rules', () => {
  it('calls a span a laggard below a quarter of the median, or after ten silent seconds', () => {
    expect(isLaggard({ bytesPerSecond: 24, idleMs: 0 }, 100)).toBe(true);
    expect(isLaggard({ bytesPerSecond: 26, idleMs: 0 }, 100)).toBe(false);
    expect(isLaggard({ bytesPerSecond: 100, idleMs: 10_000 }, 100)).toBe(true);
  });

  it('HT5 calls a source too slow below a tenth of its own median', () => {
    expect(isTooSlow(9, 100)).toBe(true);
    expect(isTooSlow(10, 100)).toBe(false);
  });

  it('adds connections while they help, and none to a source that is fast', () => {
    expect(wantsConnection(undefined, 20 * MIB, 1, 4)).toBe(true);
    expect(wantsConnection(20 * MIB, 39 * MIB, 2, 4)).toBe(true);
    expect(wantsConnection(20 * MIB, 21 * MIB, 2, 4)).toBe(false);
    expect(wantsConnection(undefined, 500 * MIB, 1, 4)).toBe(false);
    expect(wantsConnection(undefined, MIB, 4, 4)).toBe(false);
  });

  it('takes the middle of the values', () => {
    expect([median([]), median([3]), median([9, 1, 5]), median([1, 3])]).toEqual([0, 3, 5, 2]);
  });
});
