import { createHmac, timingSafeEqual } from 'node:crypto';
import { MINUTE_MS, SECOND_MS } from '#core/units';

/** Header of a request between hosts of one site: `seconds.hex`, the time and the HMAC-SHA256 of time, method and path. */
export const SITE_HEADER = 'haulier-site';

/** Clocks of two hosts may differ by this much; a copied header is of use for as long. */
const SKEW_MS = 5 * MINUTE_MS;

/**
 * Shows that the sender has the key of the site. The key itself is not sent.
 *
 * @param path of the URL, without the query
 * @param nowMs wall clock
 */
export function signForSite(key: string, method: string, path: string, nowMs: number): string {
  const seconds = Math.floor(nowMs / SECOND_MS);
  return `${seconds}.${macOf(key, method, path, seconds).toString('hex')}`;
}

export interface SiteRequest {
  readonly method: string;
  /** Of the URL, without the query. */
  readonly path: string;
  readonly header: string;
}

/** Whether a request was signed with the key of the site within the last minutes. */
export function isSignedForSite(key: string, request: SiteRequest, nowMs: number): boolean {
  const aheadMs = siteClockAheadMs(key, request, nowMs);
  return aheadMs !== undefined && isNearClock(aheadMs);
}

/** Whether the clock of a sender is near enough to this one. */
export const isNearClock = (aheadMs: number): boolean => Math.abs(aheadMs) <= SKEW_MS;

/** @returns how far the time of a signature is ahead of this clock, in milliseconds; undefined for one that is not by the key of the site */
export function siteClockAheadMs(
  key: string,
  { method, path, header }: SiteRequest,
  nowMs: number,
): number | undefined {
  const [, seconds, hex] = /^(\d{1,12})\.([0-9a-f]{64})$/.exec(header) ?? [];
  if (seconds === undefined || hex === undefined) return undefined;
  const isRight = timingSafeEqual(macOf(key, method, path, Number(seconds)), Buffer.from(hex, 'hex'));
  return isRight ? Number(seconds) * SECOND_MS - nowMs : undefined;
}

const macOf = (key: string, method: string, path: string, seconds: number): Buffer =>
  createHmac('sha256', key).update(`${seconds} ${method} ${path}`).digest();
