import type { ListPosition } from '#database/downloads/download-queries';
import { RequestError } from '../errors/request-error.ts';

/**
 * A page of a list that was read with one row more than the page has, which says that there is another page.
 *
 * @param cursorOf the cursor that leads to what follows a row
 */
export function pageFrom<Row>(
  found: readonly Row[],
  limit: number,
  cursorOf: (last: Row) => string,
): { readonly rows: readonly Row[]; readonly nextCursor: string | null } {
  const rows = found.slice(0, limit);
  const last = found.length > limit ? rows.at(-1) : undefined;
  return { rows, nextCursor: last === undefined ? null : cursorOf(last) };
}

/** A position in a list as an opaque text. */
export const encodeCursor = (position: ListPosition): string =>
  Buffer.from(`${position.createdAt.getTime()}.${position.id}`).toString('base64url');

/** @throws RequestError when the cursor was not made by `encodeCursor` */
export function decodeCursor(cursor: string): ListPosition {
  const match = /^(\d{1,15})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(
    Buffer.from(cursor, 'base64url').toString('utf8'),
  );
  if (match === null) throw badCursor(cursor);
  return { createdAt: new Date(Number(match[1])), id: match[2]! };
}

export const badCursor = (cursor: string): RequestError => {
  const detail = 'copy it unchanged from the nextCursor of a page';
  return new RequestError('invalid-request', `?cursor: ${detail}`, {
    errors: [{ pointer: '?cursor', detail, value: cursor }],
  });
};

/** A position in a list that is sorted by name. */
export const encodeName = (name: string): string => Buffer.from(name).toString('base64url');

export const decodeName = (cursor: string): string => Buffer.from(cursor, 'base64url').toString('utf8');
