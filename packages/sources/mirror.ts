import type { ByteSink, ReadRequest, Source } from '#core/source';
import type { Http } from '#http/pool';
import { redactUrl } from '#http/redaction';
import type { RangedGet } from './ranged-get.ts';
import { readRanged } from './ranged-get.ts';
import type { Resolved } from './resolved-url.ts';
import { ResolvedUrl } from './resolved-url.ts';
import { ifRangeOf, placeOf } from './shown-validator.ts';

export interface MirrorOptions {
  readonly http: Http;
  readonly url: string;
  /** The operator or user typed this URL: its own address is not questioned. */
  readonly trusted?: boolean | undefined;
}

const MAX_CONNECTIONS = 8;

/**
 * Any URL that serves one file. Where a redirect leads is remembered. Bytes that nothing proves are continued with `If-Range` (HR2):
 * a validator is that of the place which gave it, and is sent to no other (HR6); a weak one never is (HR3).
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

class MirrorReader {
  readonly url: URL;
  readonly name: string;
  servesRange: boolean | undefined;
  readonly #options: MirrorOptions;
  readonly #resolved: ResolvedUrl;

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
    await readRanged(this.#get(known, request), request, sink, signal);
  }

  #get(known: Resolved | undefined, request: ReadRequest): RangedGet {
    const { http, trusted } = this.#options;
    const at =
      known === undefined ? { url: this.url.href, trusted } : { url: known.url, addressMode: known.addressMode };
    const ifRange = this.#ifRange(new URL(at.url), request);
    return {
      ...at,
      http,
      source: this.name,
      fileName: this.url.pathname.split('/').at(-1)!,
      logicalUrl: this.url.href,
      headers: { accept: '*/*', ...(ifRange !== undefined && { 'if-range': ifRange }) },
      learnRange: (serves) => void (this.servesRange = serves),
      refine: (response, head) => (this.#resolved.learn(response), head),
    };
  }

  #ifRange(asked: URL, { range, continues }: ReadRequest): string | undefined {
    const validator = continues?.validator;
    const isLater = range !== undefined && range.start > 0;
    const isOfPlace = validator?.place === placeOf(asked, this.url.href);
    return isLater && isOfPlace ? ifRangeOf(validator) : undefined;
  }
}
