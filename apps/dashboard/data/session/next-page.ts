/**
 * @param next the query parameter of the sign-in page, which may have been written by another site
 * @returns the path of a page of ours; undefined for an address that a browser would take for another site, such as `//host` or `/\\host`
 */
export function nextPage(next: string | null, origin: string): string | undefined {
  if (next === null || !next.startsWith('/') || !URL.canParse(next, origin)) return undefined;
  const { origin: of, pathname, search, hash } = new URL(next, origin);
  return of === origin && pathname !== '/login' ? `${pathname}${search}${hash}` : undefined;
}
