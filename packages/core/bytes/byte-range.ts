/** A run of bytes of a file, half-open: `start` is inside, `end` is not. Integers, 0 <= start <= end. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export const lengthOf = (range: ByteRange): number => range.end - range.start;

/**
 * The value of a `Range` request header for one run of bytes.
 *
 * @param range non-empty
 * @returns `bytes=first-last`, both inclusive
 * @throws RangeError when the range is empty: HTTP has no way to ask for nothing
 * @see RFC 9110 section 14.1.2
 */
export function rangeHeader(range: ByteRange): string {
  if (range.end <= range.start) throw new RangeError(`empty range ${range.start}..${range.end}`);
  return `bytes=${range.start}-${range.end - 1}`;
}
