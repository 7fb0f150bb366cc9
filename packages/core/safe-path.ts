const RESERVED = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i;
const MAX_SEGMENT_BYTES = 255;
const MAX_PATH_BYTES = 1024;

/** Control characters, and the invisible ones that turn the reading direction around. */
// eslint-disable-next-line no-control-regex -- naming control characters is the point
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

const byteLength = (text: string): number => new TextEncoder().encode(text).byteLength;

/**
 * Why a relative file path is unsafe, or undefined when it is safe.
 *
 * @param rules `portable` takes what is safe under POSIX and Windows rules alike, for hosts that are not known; `posix` also takes names
 *   that only Windows refuses
 * @see docs/fault-model.md K01 to K08
 */
export function unsafePathReason(path: string, rules: 'portable' | 'posix' = 'portable'): string | undefined {
  if (path === '') return 'is empty';
  if (byteLength(path) > MAX_PATH_BYTES) return `is longer than ${MAX_PATH_BYTES} bytes`;
  if (UNPRINTABLE.test(path)) return 'has control or direction characters';
  if (path.includes('\\')) return 'has a backslash; separate folders with "/"';
  if (path.startsWith('/')) return 'is absolute; make it relative to the model';
  for (const segment of path.split('/')) {
    const reason = unsafeSegmentReason(segment) ?? (rules === 'portable' ? refusedByWindows(segment) : undefined);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function unsafeSegmentReason(segment: string): string | undefined {
  if (segment === '') return 'has an empty segment';
  if (segment === '.' || segment === '..') return `has the segment "${segment}"`;
  if (byteLength(segment) > MAX_SEGMENT_BYTES) return `has a segment over ${MAX_SEGMENT_BYTES} bytes`;
  return undefined;
}

function refusedByWindows(segment: string): string | undefined {
  if (/[:*?"<>|]/.test(segment)) return 'has one of : * ? " < > |, which Windows refuses';
  if (/[. ]$/.test(segment)) return 'has a segment that ends in a dot or a space';
  if (RESERVED.test(segment)) return `has the reserved name "${segment}"`;
  return undefined;
}

/** The form under which two paths are one on a disk that folds case or Unicode (HN3). */
export const foldedPath = (path: string): string => path.normalize('NFC').toLowerCase();

/** @returns the name with `_` for each character, and before each reserved name, that a host of another system would refuse */
export function portableName(name: string): string {
  const plain = name.replace(/[:*?"<>|]/g, '_').replace(/[. ]+$/, (end) => '_'.repeat(end.length));
  return RESERVED.test(plain) ? `_${plain}` : plain;
}
