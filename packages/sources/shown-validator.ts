import { createHash } from 'node:crypto';
import type { Validator } from '#core/bytes/validator';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import type { HttpResponse } from '#http/request';

/** Two versions written within one second may have the same date, and the same tag if that is made from the date. */
const LEAST_AGE_MS = SECOND_MS;
/** A date alone is strong if it is older than any plausible difference of clocks (RFC 9110 section 8.8.2.2). */
const STRONG_AGE_MS = MINUTE_MS;
/** Archives and package managers write dates from before the Web into every file of every version. */
const FIRST_DATE_MS = Date.UTC(1991, 0);

type Answer = Pick<HttpResponse, 'url' | 'headers'>;

/**
 * The version that an answer shows of its bytes, if it is strong enough to join unproven bytes under it. That requires a strong entity tag,
 * or a date that is strong by itself. If there is a `Last-Modified`, the `Date` of the answer must show that its second is over. A body in
 * another content coding has other bytes under the same tag.
 *
 * @param logicalUrl the requested URL, if the name of its source does not distinguish it from others
 * @see RFC 9110 sections 8.8.1, 8.8.2.2 and 8.8.3
 */
export function shownValidator({ url, headers }: Answer, logicalUrl?: string): Validator | undefined {
  const { etag, date, 'last-modified': lastModified, 'content-encoding': coding } = headers;
  if (coding !== undefined && coding.trim().toLowerCase() !== 'identity') return undefined;
  const hasStrongTag = isStrong(etag);
  if (lastModified === undefined) return hasStrongTag ? validator() : undefined;
  const modifiedAt = timeOf(lastModified);
  const age = timeOf(date) - modifiedAt;
  const isOver = modifiedAt >= FIRST_DATE_MS && age >= (hasStrongTag ? LEAST_AGE_MS : STRONG_AGE_MS);
  return isOver ? validator() : undefined;

  function validator(): Validator {
    return { place: placeOf(url, logicalUrl), etag, lastModified };
  }
}

const HTTP_DATE = /[a-z]{3}, \d{2} [a-z]{3} \d{4} \d{2}:\d{2}:\d{2} gmt/gi;

/** Some servers send the field twice: the earlier time counts. @returns milliseconds; NaN without a date or for an obsolete form */
function timeOf(field = ''): number {
  const dates = field.match(HTTP_DATE) ?? [];
  return dates.length === 0 ? NaN : Math.min(...dates.map((date) => Date.parse(date)));
}

const isStrong = (etag: string | undefined): etag is string => etag !== undefined && /^"[^"]*"$/.test(etag);

/** Identifies a resource without its URL, which may contain secrets. The query is ignored, because that of presigned links changes. */
export function placeOf(url: URL, logicalUrl = ''): string {
  return createHash('sha256').update(`${logicalUrl}\n${url.origin}${url.pathname}`).digest('hex').slice(0, 32);
}

/**
 * The value of `If-Range` for the rest of this version.
 *
 * @returns undefined for a weak tag: neither it nor the date beside it may be sent (RFC 9110 section 13.1.5)
 */
export function ifRangeOf({ etag, lastModified }: Validator): string | undefined {
  if (etag === undefined) return lastModified;
  return isStrong(etag) ? etag : undefined;
}
