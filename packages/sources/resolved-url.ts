import type { SourceFailureKind } from '#core/failure';
import { SourceError } from '#core/failure';
import type { AddressMode } from '#http/connection/connection-pool';
import type { HttpResponse } from '#http/request';

/** The URL at which redirects ended, and how the address policy judged it. */
export interface Resolved {
  readonly url: string;
  readonly addressMode: AddressMode;
  /** Wall clock in milliseconds at which a presigned link expires. */
  readonly untilMs: number;
}

/** @param nowMs wall clock */
export const resolvedOf = (response: HttpResponse, nowMs: number): Resolved => ({
  url: response.url.href,
  addressMode: response.addressMode,
  untilMs: usableUntil(response.url, nowMs),
});

/** Statuses of an expired link. */
const EXPIRED = new Set([401, 403, 404, 410]);

/** Failures of a place that worked before: its host is down, or its name resolves to another address. */
const GONE = new Set<SourceFailureKind>(['unreachable', 'address-refused']);

/** Whether a failure at the end of a redirect means that the link expired or its host is down, rather than that the file is missing. */
export const isOldLink = (error: unknown): boolean =>
  error instanceof SourceError && (EXPIRED.has(error.httpStatus ?? 0) || GONE.has(error.kind));

/** Whether the failure may be one of the place: then the next request goes to the logical URL, which may lead to another place. */
export const mayBePlace = (error: unknown): boolean => error instanceof SourceError && error.kind !== 'aborted';

/**
 * The URL at which the redirects of one logical URL ended, so that they are not followed again for every range. Lives as long as its source,
 * in memory only.
 */
export class ResolvedUrl {
  #known: Resolved | undefined;
  readonly #now: () => number;

  /** @param now wall clock in milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Undefined when no URL is known, or it is about to expire. */
  get current(): Resolved | undefined {
    return this.#known !== undefined && this.#known.untilMs > this.#now() ? this.#known : undefined;
  }

  learn(response: HttpResponse): void {
    if (response.redirects > 0) this.#known = resolvedOf(response, this.#now());
  }

  /**
   * Requests the known URL; if that link has expired, the logical URL once more: only a second failure counts. After any other failure the
   * known URL is forgotten, so that the next try does not go to the same broken host.
   *
   * @param ask with undefined requests the logical URL
   * @param isStale whether a failure is followed by the second request at once
   */
  async through<T>(
    ask: (known: Resolved | undefined) => Promise<T>,
    isStale = (error: unknown, known: Resolved | undefined) => known !== undefined && isOldLink(error),
  ): Promise<T> {
    const known = this.current;
    try {
      return await this.#forgetting(known, ask);
    } catch (error) {
      if (!isStale(error, known)) throw error;
      return this.#forgetting(undefined, ask);
    }
  }

  async #forgetting<T>(known: Resolved | undefined, ask: (known: Resolved | undefined) => Promise<T>): Promise<T> {
    const before = this.#known;
    try {
      return await ask(known);
    } catch (error) {
      const wasAsked = known !== undefined || this.#known !== before;
      if (wasAsked && mayBePlace(error)) this.#known = undefined;
      throw error;
    }
  }
}

const MARGIN_MS = 60_000;
/** For a presigned URL without an expiry. */
const UNKNOWN_LIFE_MS = 5 * 60_000;

/**
 * Until when a presigned URL is used: a minute before it expires.
 *
 * @param nowMs wall clock
 * @returns wall clock in milliseconds; a URL without an expiry is used for a few minutes
 */
export function usableUntil(url: URL, nowMs: number): number {
  const query = new Map([...url.searchParams].map(([name, value]) => [name.toLowerCase(), value]));
  const lifeS = Number(query.get('x-amz-expires') ?? query.get('x-goog-expires') ?? Number.NaN);
  const signedAt = compactDate(query.get('x-amz-date') ?? query.get('x-goog-date'));
  const epochS = Number(query.get('expires') ?? Number.NaN);
  if (Number.isFinite(lifeS)) return Math.min(signedAt ?? nowMs, nowMs) + lifeS * 1000 - MARGIN_MS;
  if (Number.isFinite(epochS)) return epochS * 1000 - MARGIN_MS;
  return nowMs + UNKNOWN_LIFE_MS;
}

/** `20260131T235959Z` */
function compactDate(text: string | undefined): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text ?? '');
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return Date.UTC(year, month - 1, day, hour, minute, second);
}
