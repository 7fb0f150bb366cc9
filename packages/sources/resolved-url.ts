import type { SourceFailureKind } from '#core/failure';
import { SourceError } from '#core/failure';
import type { AddressMode } from '#http/connection/connection-pool';
import type { HttpResponse } from '#http/request';

/** Where an answer came from in the end, and how its address was judged. */
export interface Resolved {
  readonly url: string;
  readonly addressMode: AddressMode;
  /** Wall clock in milliseconds: a presigned link ends. */
  readonly untilMs: number;
}

/** @param nowMs wall clock */
export const resolvedOf = (response: HttpResponse, nowMs: number): Resolved => ({
  url: response.url.href,
  addressMode: response.addressMode,
  untilMs: usableUntil(response.url, nowMs),
});

/** What a host says of a link that has ended (HA2). */
const EXPIRED = new Set([401, 403, 404, 410]);

/** What becomes of a place that was good: its host is away, or its name leads somewhere else now. */
const GONE = new Set<SourceFailureKind>(['unreachable', 'address-refused']);

/** Whether a failure at the end of a redirect says that the link is old, or its host gone, rather than that the file is missing. */
export const isOldLink = (error: unknown): boolean =>
  error instanceof SourceError && (EXPIRED.has(error.httpStatus ?? 0) || GONE.has(error.kind));

/** Whether a failure may be that of the place: then the logical URL is asked next time, which may lead to another one. */
export const mayBePlace = (error: unknown): boolean => error instanceof SourceError && error.kind !== 'aborted';

/**
 * Where the redirects of one logical URL ended, so that they are not walked again for every range (HA1). Lives as long as its
 * source and never leaves memory.
 */
export class ResolvedUrl {
  #known: Resolved | undefined;
  readonly #now: () => number;

  /** @param now wall clock in milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Undefined when nothing is known, or the link is about to end. */
  get current(): Resolved | undefined {
    return this.#known !== undefined && this.#known.untilMs > this.#now() ? this.#known : undefined;
  }

  learn(response: HttpResponse): void {
    if (response.redirects > 0) this.#known = resolvedOf(response, this.#now());
  }

  /**
   * Asks where the file was last; when that link is old, the logical URL once more (HA2): only a second failure counts. After any
   * other failure the place is forgotten, so that the next try is not sent to the same sick host.
   *
   * @param ask with undefined asks the logical URL
   * @param isStale whether a failure is worth the second request at once
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
/** For a presigned URL that does not say when it ends. */
const UNKNOWN_LIFE_MS = 5 * 60_000;

/**
 * Until when a presigned URL is used: a minute before it ends (HA1).
 *
 * @param nowMs wall clock
 * @returns wall clock in milliseconds; a URL that says nothing is used for a few minutes
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
