/** Redirects that are followed; 300 and 304–306 are answers, not directions (RFC 9110 section 15.4). */
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export const MAX_HOPS = 10;

/** Headers that are for one origin only: its credentials, and the validator that it gave (HR6). */
const PRIVATE_HEADERS = new Set(['authorization', 'cookie', 'proxy-authorization', 'if-range']);

export const isRedirect = (status: number): boolean => REDIRECTS.has(status);

export type NextHop = { readonly url: URL } | { readonly refusal: string };

/**
 * Decides where a redirect leads (HA5, HA6). Pure.
 *
 * @param visited every URL asked so far, the current one last
 * @param maxHops redirects followed at most
 */
export function nextHop(visited: readonly URL[], location: string | undefined, maxHops = MAX_HOPS): NextHop {
  const current = visited.at(-1)!;
  if (location === undefined || location === '') return { refusal: 'a redirect without Location' };
  if (!URL.canParse(location, current.href)) return { refusal: 'a redirect to something that is not a URL' };
  const url = new URL(location, current);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return { refusal: `a redirect to ${url.protocol}` };
  if (current.protocol === 'https:' && url.protocol === 'http:') return { refusal: 'a redirect from https to http' };
  if (visited.length > maxHops) return { refusal: `more than ${maxHops} redirects` };
  url.hash = '';
  url.username = '';
  url.password = '';
  if (visited.some((seen) => seen.href === url.href)) return { refusal: 'a redirect loop' };
  return { url };
}

/** @returns the headers that may be sent to the next URL: credentials never cross an origin (HA4), nor do validators (HR6). */
export function headersAcross(
  from: URL,
  to: URL,
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  if (from.origin === to.origin) return headers;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !PRIVATE_HEADERS.has(name.toLowerCase())));
}
