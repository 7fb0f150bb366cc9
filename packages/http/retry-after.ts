import { DAY_MS, MINUTE_MS, SECOND_MS } from '#core/units';

export type HeaderMap = Readonly<Record<string, string | undefined>>;

/**
 * How long a server asks us to stay away.
 *
 * @param value of `Retry-After`: seconds or an HTTP-date (RFC 9110 section 10.2.3); garbage and negative
 *   numbers are ignored, a date in the past is 0
 * @param nowMs wall clock, milliseconds since 1970, for the date form
 * @returns milliseconds, at most a day; undefined when nothing usable was said
 */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d{1,15}$/.test(text)) return Math.min(DAY_MS, Number(text) * SECOND_MS);
  if (!/^[A-Za-z]{3,9},? /.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.min(DAY_MS, Math.max(0, at - nowMs));
}

export interface RateLimitBucket {
  /** Such as `api`, `resolvers` or `pages`. */
  readonly name: string;
  readonly remaining: number;
  readonly resetMs: number;
}

/**
 * Reads the `RateLimit` header of the IETF draft as hubs send it: `"resolvers";r=0;t=55`.
 *
 * @returns the buckets with both numbers, times in milliseconds; [] for anything else
 */
export function parseRateLimit(value: string | undefined): RateLimitBucket[] {
  return (value ?? '').split(',').flatMap((item) => {
    const [name, ...parameters] = item.trim().split(/\s*;\s*/);
    const numbers = new Map(parameters.map((parameter) => parameter.split('=', 2) as [string, string]));
    const remaining = wholeNumber(numbers.get('r'));
    const resetS = wholeNumber(numbers.get('t'));
    if (name === undefined || remaining === undefined || resetS === undefined) return [];
    return [{ name: name.replace(/^"|"$/g, ''), remaining, resetMs: Math.min(DAY_MS, resetS * SECOND_MS) }];
  });
}

const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : undefined;

const USED_UP = ['ratelimit-remaining', 'x-ratelimit-remaining', 'x-rate-limit-remaining'] as const;

/**
 * Whether an answer says that an allowance of requests is used up: by the `RateLimit` header of the IETF draft in its forms
 * (`"name";r=0;t=55`, and `limit=5, remaining=0, reset=55` before), or by one of the older headers for what remains.
 */
export function isAllowanceUsedUp(headers: HeaderMap): boolean {
  if (parseRateLimit(headers['ratelimit']).some(({ remaining }) => remaining === 0)) return true;
  if (/(?:^|[,;\s])remaining=0(?:$|[,;\s])/.test(headers['ratelimit'] ?? '')) return true;
  return USED_UP.some((name) => headers[name]?.trim() === '0');
}

/** Longest wait that a server may ask for (docs/rules/ipfs.md): a server that needs longer asks again. */
const LONGEST_WAIT_MS = 10 * MINUTE_MS;

/** How long a server wants to be left alone. */
export interface AskedWait {
  readonly ms: number;
  /** The rate limit that is used up, where the server names it; undefined for everything it has. */
  readonly bucket: string | undefined;
}

/** @returns the wait a response asks for: an empty bucket's reset and a second before `Retry-After`. */
export function waitOf(headers: HeaderMap, nowMs: number): AskedWait | undefined {
  const empty = parseRateLimit(headers['ratelimit']).filter((bucket) => bucket.remaining === 0);
  const last = empty.reduce<RateLimitBucket | undefined>(
    (a, b) => (a === undefined || b.resetMs > a.resetMs ? b : a),
    undefined,
  );
  if (last !== undefined) return { ms: Math.min(LONGEST_WAIT_MS, last.resetMs + SECOND_MS), bucket: last.name };
  const ms = parseRetryAfter(headers['retry-after'], nowMs);
  return ms === undefined ? undefined : { ms: Math.min(LONGEST_WAIT_MS, ms), bucket: undefined };
}
