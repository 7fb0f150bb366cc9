import { hasUnshowable } from './unshowable.ts';

const RESERVED = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i;
/** Most names are no such name by their first letter. */
const MAY_BE_RESERVED = /^[acnpl]/i;
const MAX_SEGMENT_BYTES = 255;
const MAX_PATH_BYTES = 1024;

const encoder = new TextEncoder();

/** No text has more than three bytes of UTF-8 for each of its units, so a short one is not encoded. */
const isLonger = (text: string, maxBytes: number): boolean =>
  text.length * 3 > maxBytes && encoder.encode(text).byteLength > maxBytes;

/**
 * Why a relative file path is unsafe, or undefined when it is safe.
 *
 * @param rules `portable` takes what is safe under POSIX and Windows rules alike, for hosts that are not known; `posix` also takes names
 *   that only Windows refuses
 * @see docs/fault-model.md K01 to K08
 */
export function unsafePathReason(path: string, rules: 'portable' | 'posix' = 'portable'): string | undefined {
  if (path === '') return 'is empty';
  if (isLonger(path, MAX_PATH_BYTES)) return `is longer than ${MAX_PATH_BYTES} bytes`;
  if (hasUnshowable(path)) return 'has control or direction characters';
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
  if (isLonger(segment, MAX_SEGMENT_BYTES)) return `has a segment over ${MAX_SEGMENT_BYTES} bytes`;
  return undefined;
}

function refusedByWindows(segment: string): string | undefined {
  if (/[:*?"<>|]/.test(segment)) return 'has one of : * ? " < > |, which Windows refuses';
  if (/[. ]$/.test(segment)) return 'has a segment that ends in a dot or a space';
  if (MAY_BE_RESERVED.test(segment) && RESERVED.test(segment)) return `has the reserved name "${segment}"`;
  return undefined;
}

/** The form under which two paths are one on a disk that folds case or Unicode. */
export const foldedPath = (path: string): string => path.normalize('NFC').toLowerCase();

/** Paths of one folder, to be asked which of them another path cannot stand beside. */
export interface PathIndex {
  add(path: string): void;
  /**
   * @returns a path of the index that names the same file on a disk that folds case or Unicode (also the path itself), is a file
   *   where the asked one needs a folder, or needs a folder where the asked one is a file; undefined when there is none
   */
  clashOf(path: string): string | undefined;
}

/** Each question takes time proportional to the depth of the path, however many paths there are. */
export function pathIndex(paths: Iterable<string> = []): PathIndex {
  const byFile = new Map<string, string>();
  const byFolder = new Map<string, string>();
  const add = (path: string): void => {
    const folded = foldedPath(path);
    byFile.set(folded, path);
    for (const folder of foldersOf(folded)) byFolder.set(folder, path);
  };
  for (const path of paths) add(path);
  return {
    add,
    clashOf(path) {
      const folded = foldedPath(path);
      const same = byFile.get(folded) ?? byFolder.get(folded);
      if (same !== undefined) return same;
      for (const folder of foldersOf(folded)) {
        const file = byFile.get(folder);
        if (file !== undefined) return file;
      }
      return undefined;
    },
  };
}

function* foldersOf(path: string): Generator<string> {
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) yield path.slice(0, end);
}

/** Why two paths that clash cannot stand in one folder, and what to do. */
export const clashReason = (path: string, other: string): string =>
  foldedPath(path) === foldedPath(other)
    ? `"${path}" collides with "${other}" on a disk that folds case or Unicode; rename one`
    : `"${path}" and "${other}" need a file and a folder of one name; rename one`;

/** @returns the name with `_` for each character, and before each reserved name, that a host of another system would refuse */
export function portableName(name: string): string {
  const plain = name.replace(/[:*?"<>|]/g, '_').replace(/[. ]+$/, (end) => '_'.repeat(end.length));
  return RESERVED.test(plain) ? `_${plain}` : plain;
}
