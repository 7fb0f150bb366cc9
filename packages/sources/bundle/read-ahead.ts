import type { ReadAt } from '#content/formats/read-at';
import { KIB } from '#core/units';

const MOST_BYTES = 256 * KIB;

/**
 * Reads a file that is mostly read forward in few, longer pieces: of ten thousand small entries not each header costs a call, or a
 * request. What is read beside what was asked for doubles as long as it is used, and is nothing after a jump, so of a few large
 * entries only the headers are read.
 */
export function readAhead(readAt: ReadAt, sizeBytes: number): ReadAt {
  let held: { readonly start: number; readonly bytes: Uint8Array } = { start: 0, bytes: new Uint8Array(0) };
  let ahead = 0;
  return async (position, length) => {
    const from = position - held.start;
    if (from >= 0 && from + length <= held.bytes.length) return held.bytes.subarray(from, from + length);
    const isNear = from >= 0 && from <= held.bytes.length + ahead;
    ahead = isNear ? Math.min(MOST_BYTES, Math.max(2 * ahead, 2 * KIB)) : 0;
    const wanted = Math.min(Math.max(length, ahead), sizeBytes - position);
    const bytes = await readAt(position, wanted);
    held = { start: position, bytes };
    return bytes.subarray(0, length);
  };
}
