import type { ByteRange } from '#core/bytes/byte-range';

/** What a `Range` header asks of content whose length is known. */
export type AskedRanges =
  /** No header, or one that is ignored: all bytes. */
  | { readonly is: 'whole' }
  | { readonly is: 'ranges'; readonly ranges: readonly ByteRange[] }
  /** Nothing of what is asked for exists. */
  | { readonly is: 'unsatisfiable' };

/** More ranges than this, as an attack or a broken client sends them, are answered with the whole content. */
const MAX_RANGES = 32;

/**
 * Reads a `Range` header. An end beyond the content is clamped. A header that breaks the grammar, has another unit, or asks for
 * overlapping ranges is ignored, as a server may.
 *
 * @param sizeBytes length of the content
 * @see RFC 9110 section 14.1.2, 14.2
 */
export function askedRanges(header: string | undefined, sizeBytes: number): AskedRanges {
  const list = /^bytes\s*=(.*)$/i.exec(header?.trim() ?? '')?.[1];
  if (list === undefined) return { is: 'whole' };
  const specs = list
    .split(',')
    .map((spec) => spec.trim())
    .filter((spec) => spec !== '');
  if (specs.length === 0 || specs.length > MAX_RANGES) return { is: 'whole' };
  const ranges: ByteRange[] = [];
  for (const spec of specs) {
    const range = rangeOf(spec, sizeBytes);
    if (range === 'malformed') return { is: 'whole' };
    if (range !== undefined) ranges.push(range);
  }
  if (ranges.length === 0) return { is: 'unsatisfiable' };
  return overlap(ranges) ? { is: 'whole' } : { is: 'ranges', ranges };
}

/** @returns undefined for a range of which nothing exists */
function rangeOf(spec: string, sizeBytes: number): ByteRange | 'malformed' | undefined {
  const [, first = '', last = ''] = /^(\d*)\s*-\s*(\d*)$/.exec(spec) ?? [];
  if (first === '') return last === '' ? 'malformed' : lastBytes(Number(last), sizeBytes);
  const start = Number(first);
  const end = last === '' ? sizeBytes : Number(last) + 1;
  if (end <= start && last !== '') return 'malformed';
  return start >= sizeBytes ? undefined : { start, end: Math.min(sizeBytes, end) };
}

const lastBytes = (count: number, sizeBytes: number): ByteRange | undefined =>
  count === 0 || sizeBytes === 0 ? undefined : { start: Math.max(0, sizeBytes - count), end: sizeBytes };

function overlap(ranges: readonly ByteRange[]): boolean {
  const sorted = [...ranges].sort((a, b) => a.start - b.start);
  return sorted.some((range, index) => index > 0 && range.start < sorted[index - 1]!.end);
}

/** The value of `Content-Range` for one run of bytes. */
export const contentRange = ({ start, end }: ByteRange, sizeBytes: number): string =>
  `bytes ${start}-${end - 1}/${sizeBytes}`;
