import { createHash } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { pathOfPartial, type PartialPlace } from '#os/lease/leased-partial';

/** Longest name on the file systems in use. */
const MAX_NAME_BYTES = 255;
/** Room for the longest name made beside a target: the lease while it is replaced adds up to 75 bytes to dot and ending. */
const ROOM_BYTES = 100;

/**
 * The place of a target's partials: beside the target, so that the last step is a rename on one file system. Every program that fetches
 * to the target has its own partial, `<key>.<id>.part`. A name that leaves no room for the endings is cut, and a hash of the whole name
 * keeps it unique.
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

/** Cuts between characters, never inside one. */
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
