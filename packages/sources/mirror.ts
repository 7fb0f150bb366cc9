import { SourceError } from '#core/failure';
import type { ByteSink, ReadRequest, ResponseHead, Source } from '#core/source';
import type { Http } from '#http/pool';
import { fileNameOf } from '#http/content-disposition';
import { redactUrl } from '#http/redaction';
import type { HttpResponse } from '#http/request';
import type { RangedGet } from './ranged-get.ts';
import { readRanged } from './ranged-get.ts';
import type { Resolved } from './resolved-url.ts';
import { ResolvedUrl } from './resolved-url.ts';

export interface MirrorOptions {
  readonly http: Http;
  readonly url: string;
  /** The operator or user typed this URL: its own address is not questioned. */
  readonly trusted?: boolean | undefined;
}

const MAX_CONNECTIONS = 8;

/**
 * Any URL that serves one file. Within the life of the source its strong validator is remembered and sent as `If-Range`
 * (HR2), so that bytes of two versions are never mixed; a weak one never is (HR3). Where a redirect leads is remembered as
 * well: a validator is that of the origin which gave it, and is sent to no other (HR6).
 */
export function mirror(options: MirrorOptions): Source {
  const reader = new MirrorReader(options);
  return {
    name: reader.name,
    kind: 'mirror',
    layer: 'huggingface',
    origin: reader.url.origin,
    capabilities: () => ({ range: reader.servesRange, blocks: false, maxConnections: MAX_CONNECTIONS }),
    read: (request, sink, signal) => reader.read(request, sink, signal),
  };
}

interface Validator {
  readonly value: string;
  /** Who gave it. */
  readonly origin: string;
}

class MirrorReader {
  readonly url: URL;
  readonly name: string;
  servesRange: boolean | undefined;
  readonly #options: MirrorOptions;
  readonly #resolved: ResolvedUrl;
  #validator: Validator | undefined;

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.url = new URL(options.url);
    this.name = redactUrl(this.url).replace(/^https?:\/\//, '');
    this.#resolved = new ResolvedUrl(options.http.now);
  }

  read(request: ReadRequest, sink: ByteSink, signal: AbortSignal): Promise<void> {
    return this.#resolved.through((known) => this.#read(known, request, sink, signal));
  }

  async #read(known: Resolved | undefined, request: ReadRequest, sink: ByteSink, signal: AbortSignal): Promise<void> {
    const servedBefore = this.servesRange;
    const sent = this.#validatorFor(new URL(known?.url ?? this.url), request);
    try {
      await readRanged(this.#get(known, request, sent), request, sink, signal);
    } catch (error) {
      // 200 to If-Range in the middle of a file: the file is another one now (HR5).
      if (sent === undefined || !isWholeInstead(error)) throw error;
      this.#validator = undefined;
      this.servesRange = servedBefore;
      throw changed(this.name);
    }
  }

  #get(known: Resolved | undefined, request: ReadRequest, sent: Validator | undefined): RangedGet {
    const { http, trusted } = this.#options;
    const at =
      known === undefined ? { url: this.url.href, trusted } : { url: known.url, addressMode: known.addressMode };
    return {
      ...at,
      http,
      source: this.name,
      fileName: this.url.pathname.split('/').at(-1)!,
      headers: { accept: '*/*', ...(sent !== undefined && { 'if-range': sent.value }) },
      learnRange: (serves) => void (this.servesRange = serves),
      refine: (response, head) => this.#learn(response, head, request, sent),
    };
  }

  #validatorFor({ origin }: URL, { range }: ReadRequest): Validator | undefined {
    const isLater = range !== undefined && range.start > 0;
    return isLater && this.#validator?.origin === origin ? this.#validator : undefined;
  }

  #learn(
    response: HttpResponse,
    head: ResponseHead,
    { range }: ReadRequest,
    sent: Validator | undefined,
  ): ResponseHead {
    this.#resolved.learn(response);
    const { origin } = response.url;
    if (sent?.origin === origin && head.etag !== undefined && head.etag !== sent.value) {
      this.#validator = undefined;
      if ((range?.start ?? 0) > 0) throw changed(this.name);
    }
    const value = head.etag ?? strongDate(response);
    if (this.#validator?.origin !== origin) this.#validator = value === undefined ? undefined : { value, origin };
    return { ...head, fileName: fileNameOf(response.headers['content-disposition']) };
  }
}

const isWholeInstead = (error: unknown): boolean =>
  error instanceof SourceError && error.kind === 'range-refused' && error.httpStatus === 200;

const changed = (name: string): SourceError =>
  new SourceError('bad-response', name, 'the file changed while it was read');

/** Last-Modified is strong only when the answer is clearly younger (HR4, RFC 9110 section 8.8.2.2). */
const STRONG_DATE_MS = 60_000;

function strongDate(response: HttpResponse): string | undefined {
  const modified = response.headers['last-modified'];
  const age = Date.parse(response.headers['date'] ?? '') - Date.parse(modified ?? '');
  return age >= STRONG_DATE_MS ? modified : undefined;
}
