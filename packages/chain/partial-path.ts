import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';

/** What a name may have on the file systems in use. */
const MAX_NAME_BYTES = 255;
/** The longest name that is made beside a partial: the lease while it is replaced has up to 75 bytes more than its dot and ending. */
const ROOM_BYTES = 100;

/**
 * Where the bytes of a target grow: beside it, so that the last step is a rename on one filesystem. A name that leaves no room
 * for the endings is cut, and its hash keeps it apart from others.
 */
export function partialPathOf(target: string): string {
  const name = basename(target);
  return join(
    dirname(target),
    `.${Buffer.byteLength(name) + ROOM_BYTES <= MAX_NAME_BYTES ? name : shortOf(name)}.haulier-part`,
  );
}

export const leasePathOf = (partialPath: string): string => `${partialPath}.lease`;

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
