import type { SourceError } from '#core/failure';
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

class MirrorReader {
  readonly url: URL;
  readonly name: string;
  servesRange: boolean | undefined;
  readonly #options: MirrorOptions;
  readonly #resolved: ResolvedUrl;
  readonly #login: string | undefined;

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.url = new URL(options.url);
    this.#login = basicAuthorization(this.url);
    this.name = redactUrl(this.url).replace(/^https?:\/\//, '');
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
      logicalUrl: this.url.href,
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
    if (schemes.length > 0 && !schemes.some((name) => /^basic$/i.test(name)))
      return `it requires ${schemes[0]} authentication; only Basic is supported`;
    if (this.#login === undefined) return 'it requires a login: write https://user:password@host/path';
    if (url.origin !== this.url.origin) return `by ${url.host}, to which the login in the URL is not sent`;
    return 'the login in the URL was refused';
  }

  #ifRange(asked: URL, { range, continues }: ReadRequest): string | undefined {
    const validator = continues?.validator;
    const isLater = range !== undefined && range.start > 0;
    const isOfPlace = validator?.place === placeOf(asked, this.url.href);
    return isLater && isOfPlace ? ifRangeOf(validator) : undefined;
  }
}
