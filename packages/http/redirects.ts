import { withoutUserInfo } from './user-info.ts';

/** Redirects that are followed; 300 and 304–306 are answers, not directions (RFC 9110 section 15.4). */
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export const MAX_HOPS = 10;

/** Headers that are for one origin only: its credentials, and the validator that it gave. */
const PRIVATE_HEADERS = new Set(['authorization', 'cookie', 'proxy-authorization', 'if-range']);

export const isRedirect = (status: number): boolean => REDIRECTS.has(status);

export type NextHop = { readonly url: URL } | { readonly refusal: string };

export interface HopFacts {
  /** Redirects followed at most. */
  readonly maxHops?: number | undefined;
  /** The bytes will be proven, and the operator allows plain HTTP for them. */
  readonly allowDowngrade?: boolean | undefined;
  /** An answer on the way set a cookie; none is ever kept. */
  readonly setsCookie?: boolean | undefined;
}

/**
 * Decides where a redirect leads. Pure.
 *
 * @param visited every URL asked so far, the current one last
 * @param location the header's bytes, each as one character
 */
export function nextHop(visited: readonly URL[], location: string | undefined, facts: HopFacts = {}): NextHop {
  const current = visited.at(-1)!;
  if (location === undefined || location === '') return { refusal: 'a redirect without Location' };
  const text = inAscii(location);
  if (!URL.canParse(text, current.href)) return { refusal: 'a redirect to something that is not a URL' };
  const url = withoutUserInfo(new URL(text, current));
  url.hash = '';
  const refusal = refusalOf(visited, url, facts);
  return refusal === undefined ? { url } : { refusal };
}

function refusalOf(visited: readonly URL[], url: URL, facts: HopFacts): string | undefined {
  const { maxHops = MAX_HOPS, allowDowngrade = false, setsCookie = false } = facts;
  const isDowngrade = visited.at(-1)!.protocol === 'https:' && url.protocol === 'http:';
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return `a redirect to ${url.protocol}`;
  if (isDowngrade && !allowDowngrade) return DOWNGRADE;
  if (visited.length > maxHops) return `more than ${maxHops} redirects`;
  if (!visited.some((seen) => seen.href === url.href)) return undefined;
  return setsCookie ? COOKIE_WALL : 'a redirect loop';
}

const DOWNGRADE =
  'a redirect from https to http, which is followed only with --allow-downgrade (HAULIER_ALLOW_DOWNGRADE) and a digest or CID';
const COOKIE_WALL =
  'a redirect loop that sets a cookie: the server wants a client that keeps cookies, as for a login or a consent page';

/** Bytes outside of ASCII, which some servers send unencoded, in UTF-8 or another character set: encoded as they are. */
const inAscii = (location: string): string =>
  location.replace(/[\x80-\xff]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** @returns the headers that may be sent to the next URL: credentials never cross an origin, nor do validators. */
export function headersAcross(
  from: URL,
  to: URL,
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  if (from.origin === to.origin) return headers;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !PRIVATE_HEADERS.has(name.toLowerCase())));
}
