import { SourceError } from '#core/failure';
import type { Logger } from '#core/logger';
import type { ByteSink, ReadRequest, ResponseHead, Source } from '#core/source';
import type { AddressMode } from '#http/connection-pool';
import { statusError } from '#http/http-error';
import type { Http } from '#http/pool';
import type { HttpResponse } from '#http/request';
import { hubError } from './hub-error.ts';
import type { HubFile } from './hub-url.ts';
import { resolveUrl, usableUntil } from './hub-url.ts';
import type { RangedGet } from './ranged-get.ts';
import { readRanged } from './ranged-get.ts';

export interface HuggingfaceOptions {
  readonly http: Http;
  readonly file: HubFile;
  /** Sent to the endpoint's own origin and nowhere else. */
  readonly token?: string | undefined;
  /** The operator named this endpoint: its own address is not questioned. */
  readonly trusted: boolean;
  readonly logger: Logger;
}

const MAX_CONNECTIONS = 8;
/** Hubs refuse longer files over plain HTTP. */
const PLAIN_HTTP_BYTES = 50e9;
const COMMIT = /^[0-9a-f]{40}$/;

/** Where the content host served the file last; never leaves memory (HA1). */
interface Resolved {
  readonly url: string;
  readonly addressMode: AddressMode;
  readonly untilMs: number;
}

/**
 * One file of a hub. Its logical URL leads to a presigned URL on a content host, which is remembered until shortly
 * before it ends; when that is refused earlier, the logical URL is asked once more (HA2). A branch is pinned to the
 * commit of the first answer.
 */
export function huggingface(options: HuggingfaceOptions): Source {
  const reader = new HubReader(options);
  return {
    name: reader.name,
    kind: 'huggingface',
    layer: 'huggingface',
    origin: reader.endpoint.origin,
    capabilities: () => ({ range: reader.servesRange, blocks: false, maxConnections: MAX_CONNECTIONS }),
    read: (request, sink, signal) => reader.read(request, sink, signal),
  };
}

class HubReader {
  readonly endpoint: URL;
  readonly name: string;
  servesRange: boolean | undefined;
  readonly #options: HuggingfaceOptions;
  #commit: string | undefined;
  #resolved: Resolved | undefined;
  #warned = false;

  constructor(options: HuggingfaceOptions) {
    const { file } = options;
    this.#options = options;
    this.endpoint = new URL(file.endpoint);
    this.name = `${this.endpoint.host}/${file.repo}@${file.revision}/${file.path}`;
  }

  async read(request: ReadRequest, sink: ByteSink, signal: AbortSignal): Promise<void> {
    this.#warnOfSize(request.sizeBytes ?? 0);
    const known = this.#resolved;
    const usable = known !== undefined && known.untilMs > this.#options.http.now();
    try {
      await readRanged(usable ? this.#resolvedGet(known) : this.#logicalGet(request), request, sink, signal);
    } catch (error) {
      if (!isExpiry(error)) throw error;
      this.#resolved = undefined;
      await readRanged(this.#logicalGet(request), request, sink, signal);
    }
  }

  #logicalGet(request: ReadRequest): RangedGet {
    const { file, token, trusted, http } = this.#options;
    return {
      ...this.#commonGet(),
      url: resolveUrl({ ...file, revision: this.#commit ?? file.revision }),
      headers: { accept: '*/*', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      trusted,
      refine: (response, head) => this.#learn(response, linkedHead(this.name, response, head, request)),
      explain: (response) =>
        response.url.origin === this.endpoint.origin
          ? hubError(this.name, response, http.now())
          : contentHostError(this.name, response, http.now()),
    };
  }

  #resolvedGet(at: Resolved): RangedGet {
    return {
      ...this.#commonGet(),
      url: at.url,
      addressMode: at.addressMode,
      headers: { accept: '*/*' },
      refine: (_response, head) => ({ ...head, revision: this.#commit }),
      explain: (response) => contentHostError(this.name, response, this.#options.http.now()),
    };
  }

  #commonGet(): Pick<RangedGet, 'http' | 'source' | 'fileName' | 'learnRange'> {
    return {
      http: this.#options.http,
      source: this.name,
      fileName: this.#options.file.path.split('/').at(-1)!,
      learnRange: (serves) => {
        this.servesRange = serves;
      },
    };
  }

  #learn(response: HttpResponse, head: ResponseHead): ResponseHead {
    if (head.revision !== undefined && COMMIT.test(head.revision)) this.#commit ??= head.revision;
    if (response.url.origin !== this.endpoint.origin)
      this.#resolved = {
        url: response.url.href,
        addressMode: response.addressMode,
        untilMs: usableUntil(response.url, this.#options.http.now()),
      };
    return head;
  }

  #warnOfSize(sizeBytes: number): void {
    if (this.#warned || sizeBytes <= PLAIN_HTTP_BYTES) return;
    this.#warned = true;
    this.#options.logger.warn({ source: this.name, sizeBytes }, 'hub may refuse a file this long over plain HTTP');
  }
}

/** What the hub's own answer says about the file; its size is checked before a byte of the content host is taken (HA8). */
function linkedHead(source: string, response: HttpResponse, head: ResponseHead, request: ReadRequest): ResponseHead {
  const { headers } = response.first;
  const size = headers['x-linked-size'];
  if (size !== undefined && request.sizeBytes !== undefined && Number(size) !== request.sizeBytes)
    throw new SourceError('size-mismatch', source, `has ${size} bytes, the manifest says ${request.sizeBytes}`);
  const linked = headers['x-linked-etag'];
  const etag = linked !== undefined && /^"[^"]*"$/.test(linked) ? linked : head.etag;
  return { ...head, etag, revision: headers['x-repo-commit'] };
}

const EXPIRED = new Set([401, 403, 404, 410]);

/** The content host refused a URL the hub had given, remembered or fresh (HA2); a refusal by the hub itself is final. */
const isExpiry = (error: unknown): boolean =>
  error instanceof SourceError && error.cause === CONTENT_HOST && EXPIRED.has(error.httpStatus ?? 0);

/** Marks an error answer that came from the content host. */
const CONTENT_HOST = 'the content host';

function contentHostError(source: string, response: HttpResponse, nowMs: number): SourceError {
  const error = statusError(source, response.status, response.headers, nowMs, `by ${response.url.host}`);
  const { kind, retryAfterMs, httpStatus, message } = error;
  return new SourceError(kind, source, message, { cause: CONTENT_HOST, retryAfterMs, httpStatus });
}
