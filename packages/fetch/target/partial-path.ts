import { createHash } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { pathOfPartial, type PartialPlace } from '#os/lease/leased-partial';

/** What a name may have on the file systems in use. */
const MAX_NAME_BYTES = 255;
/** The longest name that is made beside a target: the lease while it is replaced has up to 75 bytes more than its dot and ending. */
const ROOM_BYTES = 100;

/**
 * Where the bytes of a target grow: beside it, so that the last step is a rename on one filesystem. Every program that fetches to
 * it has a partial of its own, `<key>.<id>.part`. A name that leaves no room for the endings is cut, and its hash keeps it apart
 * from others.
 */
export function partialPlaceOf(target: string): PartialPlace {
  const name = basename(target);
  const short = Buffer.byteLength(name) + ROOM_BYTES <= MAX_NAME_BYTES ? name : shortOf(name);
  return { folder: dirname(target), key: `.${short}.haulier-part` };
}

/**
 * @internal for tests: the path that a program of this id writes
 * @param id 8 hexadecimal digits
 */
export const partialPathOf = (target: string, id = '00000000'): string => pathOfPartial(partialPlaceOf(target), id);

const shortOf = (name: string): string =>
  `${clipBytes(name, 64)}-${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;

/** Cuts between characters, never inside of one. */
export function clipBytes(text: string, mostBytes: number): string {
  let kept = '';
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > mostBytes) break;
    kept += character;
  }
  return kept;
}
