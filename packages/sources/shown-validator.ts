import { createHash } from 'node:crypto';
import type { Validator } from '#core/validator';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import type { HttpResponse } from '#http/request';

/** A file that is changed twice within a second may have the same date, and a tag that is made of it, for both versions. */
const LEAST_AGE_MS = SECOND_MS;
/** A date alone is strong when no difference of clocks explains its distance (HR4, RFC 9110 section 8.8.2.2). */
const STRONG_AGE_MS = MINUTE_MS;
/** Dates from before the Web are what archives and package managers write into every file of every version. */
const FIRST_DATE_MS = Date.UTC(1991, 0);

type Answer = Pick<HttpResponse, 'url' | 'headers'>;

/**
 * What an answer shows of the version of its bytes, where that is strong enough to join them with others unproven. It needs a strong
 * entity tag, or a date that is strong by itself; and where a date is shown, the answer says by its own `Date` that the second of that
 * date is over. Without `Date` nothing tells. A body in another coding is other bytes under the same tag.
 *
 * @param logicalUrl the URL that was asked in the first place, where the name of its source does not tell it from others
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

/** Some servers send the field twice: the earlier time counts. @returns milliseconds; NaN without a date, or in an obsolete form */
function timeOf(field = ''): number {
  const dates = field.match(HTTP_DATE) ?? [];
  return dates.length === 0 ? NaN : Math.min(...dates.map((date) => Date.parse(date)));
}

const isStrong = (etag: string | undefined): etag is string => etag !== undefined && /^"[^"]*"$/.test(etag);

/** Names a resource without showing its URL, which may hold secrets. A query is left out: those of presigned links change. */
export function placeOf(url: URL, logicalUrl = ''): string {
  return createHash('sha256').update(`${logicalUrl}\n${url.origin}${url.pathname}`).digest('hex').slice(0, 32);
}

/**
 * The value of `If-Range` that asks for the rest of this version.
 *
 * @returns undefined for a weak tag: neither it nor the date beside it may be sent (RFC 9110 section 13.1.5)
 */
export function ifRangeOf({ etag, lastModified }: Validator): string | undefined {
  if (etag === undefined) return lastModified;
  return isStrong(etag) ? etag : undefined;
}
