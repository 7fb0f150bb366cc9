import { SourceError } from '#core/failure';
import type { SourceSecret } from '#core/settings/source-secrets';
import type { ByteSink, ReadRequest, ResponseHead, Source } from '#core/source';
import { statusError } from '#http/http-error';
import type { Http } from '#http/pool';
import { fileNameOf } from '#http/content-disposition';
import { redactUrl } from '#http/redaction';
import type { HttpResponse } from '#http/request';
import { basicAuthorization } from '#http/user-info';
import type { RangedGet } from './ranged-get.ts';
import { readRanged } from './ranged-get.ts';
import type { Resolved } from './resolved-url.ts';
import { ResolvedUrl } from './resolved-url.ts';
import { ifRangeOf, placeOf } from './shown-validator.ts';

export interface MirrorOptions {
  readonly http: Http;
  readonly url: string;
  /** The operator or user typed this URL: the address policy does not apply to its own address. */
  readonly trusted?: boolean | undefined;
  /** Sent to the origin of the URL, and not shown. */
  readonly secret?: SourceSecret | undefined;
  /** A digest or a CID of the file is known. */
  readonly isProvable?: boolean | undefined;
  /** Follow redirects from https to http if the file is provable. */
  readonly allowDowngrade?: boolean | undefined;
}

const MAX_CONNECTIONS = 8;

/**
 * Any URL that serves one file. Remembers where its redirects led. Unproven bytes are continued with `If-Range`; a validator is sent only to
 * the place that gave it, and a weak one never.
 */
export function mirror(options: MirrorOptions): Source {
  const reader = new MirrorReader(options);
  return {
    name: reader.name,
    kind: 'mirror',
    layer: 'origin',
    origin: reader.url.origin,
    capabilities: () => ({ range: reader.servesRange, blocks: false, maxConnections: MAX_CONNECTIONS }),
    read: (request, sink, signal) => reader.read(request, sink, signal),
  };
}

/** A mirror whose secret this worker does not have: each request fails with the reason, so that people see it. */
export function mirrorWithoutSecret(url: string, reason: string): Source {
  const name = redactUrl(url).replace(/^https?:\/\//, '');
  return {
    name,
    kind: 'mirror',
    layer: 'origin',
    origin: new URL(url).origin,
    capabilities: () => ({ range: true, blocks: false, maxConnections: 1 }),
    read: () => Promise.reject(new SourceError('forbidden', name, reason)),
  };
}

function withQuery(url: URL, query: string | undefined): URL {
  if (query === undefined) return url;
  const whole = new URL(url);
  whole.search = [url.search.replace(/^\?/, ''), query].filter((part) => part !== '').join('&');
  return whole;
}

class MirrorReader {
  readonly url: URL;
  readonly name: string;
  /** The URL as the manifest has it. */
  readonly #given: URL;
  servesRange: boolean | undefined;
  readonly #options: MirrorOptions;
  readonly #resolved: ResolvedUrl;
  readonly #login: string | undefined;

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.#given = new URL(options.url);
    this.url = withQuery(this.#given, options.secret?.query);
    this.#login = options.secret?.authorization ?? basicAuthorization(this.url);
    this.name = redactUrl(this.#given).replace(/^https?:\/\//, '');
    this.#resolved = new ResolvedUrl(options.http.now);
  }

  read(request: ReadRequest, sink: ByteSink, signal: AbortSignal): Promise<void> {
    return this.#resolved.through((known) => this.#read(known, request, sink, signal));
  }

  async #read(known: Resolved | undefined, request: ReadRequest, sink: ByteSink, signal: AbortSignal): Promise<void> {
    await readRanged(this.#get(known, request), request, sink, signal);
  }

  #get(known: Resolved | undefined, request: ReadRequest): RangedGet {
    const { http, trusted, isProvable = false, allowDowngrade = false } = this.#options;
    const at =
      known === undefined ? { url: this.url.href, trusted } : { url: known.url, addressMode: known.addressMode };
    const ifRange = this.#ifRange(new URL(at.url), request);
    return {
      ...at,
      http,
      isProvable,
      allowDowngrade: allowDowngrade && isProvable,
      source: this.name,
      fileName: this.url.pathname.split('/').at(-1)!,
      // Without the secret, which may change while the file stays the same.
      logicalUrl: this.#given.href,
      explain: (response) => this.#explain(response),
      headers: {
        accept: '*/*',
        ...this.#loginFor(new URL(at.url)),
        ...(ifRange !== undefined && { 'if-range': ifRange }),
      },
      learnRange: (serves) => void (this.servesRange = serves),
      refine: (response, head) => this.#learn(response, head),
    };
  }

  #learn(response: HttpResponse, head: ResponseHead): ResponseHead {
    this.#resolved.learn(response);
    return { ...head, fileName: fileNameOf(response.headers['content-disposition']) };
  }

  /** The login in the URL is sent to its own origin only, also after a redirect within that origin. */
  #loginFor({ origin }: URL): { authorization?: string } {
    const isOwn = this.#login !== undefined && origin === this.url.origin;
    return isOwn ? { authorization: this.#login! } : {};
  }

  /** Explains a 401. */
  #explain(response: HttpResponse): SourceError | undefined {
    if (response.status !== 401) return undefined;
    const detail = this.#loginAdvice(response);
    return statusError(this.name, response.status, response.headers, this.#options.http.now(), detail);
  }

  #loginAdvice({ headers, url }: HttpResponse): string {
    const schemes = [...(headers['www-authenticate'] ?? '').matchAll(/(?:^|,)\s*([a-z][\w-]*)(?=\s|,|$)/gi)].map(
      ([, name]) => name!,
    );
    if (this.#options.secret === undefined && schemes.length > 0 && !schemes.some((name) => /^basic$/i.test(name)))
      return `it requires ${schemes[0]} authentication; only Basic is supported`;
    if (this.#login === undefined) return 'it requires a login: write https://user:password@host/path';
    if (url.origin !== this.url.origin) return `by ${url.host}, to which the login in the URL is not sent`;
    return this.#options.secret === undefined ? 'the login in the URL was refused' : 'the secret was refused';
  }

  #ifRange(asked: URL, { range, continues }: ReadRequest): string | undefined {
    const validator = continues?.validator;
    const isLater = range !== undefined && range.start > 0;
    const isOfPlace = validator?.place === placeOf(asked, this.#given.href);
    return isLater && isOfPlace ? ifRangeOf(validator) : undefined;
  }
}
