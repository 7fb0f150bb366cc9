/**
 * Whether one of the tags of `If-None-Match` is this one, compared weakly; `*` matches everything.
 *
 * @param etag with its quotes, and `W/` for a weak one
 * @see RFC 9110 section 13.1.2
 */
export function matchesNone(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return (header.match(/(?:W\/)?"[^"]*"/g) ?? []).some((tag) => opaque(tag) === opaque(etag));
}

/** Whether a range may be served: there is no `If-Range`, or it is exactly this strong tag. @see RFC 9110 section 13.1.5 */
export const mayServeRange = (ifRange: string | undefined, etag: string): boolean =>
  ifRange === undefined || (ifRange.trim() === etag && !etag.startsWith('W/'));

const opaque = (etag: string): string => etag.replace(/^W\//, '');
