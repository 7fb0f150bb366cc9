import { SourceError } from '#core/failure';
import type { Logger } from '#core/logger';
import type { ByteSink, ReadRequest, ResponseHead, Source } from '#core/source';
import { MINUTE_MS } from '#core/units';
import { statusError } from '#http/http-error';
import type { Http } from '#http/pool';
import type { HttpResponse } from '#http/request';
import { hubError } from './hub-error.ts';
import type { HubFile } from './hub-url.ts';
import { repoPath, resolveUrl } from './hub-url.ts';
import type { RangedGet } from '../ranged-get.ts';
import { readRanged } from '../ranged-get.ts';
import type { Resolved } from '../resolved-url.ts';
import { isOldLink, ResolvedUrl } from '../resolved-url.ts';
import { SourceHealth } from '../guards/source-health.ts';

export interface HuggingfaceOptions {
  readonly http: Http;
  readonly file: HubFile;
  /** Sent to the endpoint's own origin and nowhere else. */
  readonly token?: string | undefined;
  /** The operator named this endpoint: the address policy does not apply to its own address. */
  readonly trusted: boolean;
  /** A digest or a CID of the file is known. */
  readonly isProvable?: boolean | undefined;
  /** Follow redirects from https to http if the file is provable. */
  readonly allowDowngrade?: boolean | undefined;
  readonly logger: Logger;
  /** Holds the cooldown of the token, for every transfer that uses it; default for this source alone. */
  readonly health?: SourceHealth | undefined;
}

const MAX_CONNECTIONS = 8;
/** Hubs may refuse longer files over plain HTTP. */
const PLAIN_HTTP_BYTES = 50e9;
const COMMIT = /^[0-9a-f]{40}$/;

/** The hub's rate limit for files (docs/rules/huggingface.md). */
const BUCKET = 'resolvers';
/** Cooldown of a throttled token if the answer does not give one. */
const TOKEN_COOLDOWN_MS = MINUTE_MS;

/**
 * One file of a hub. Its logical URL redirects to a presigned URL on a content host, which is remembered until shortly before it expires. If
 * the content host refuses it earlier, the logical URL is requested once more. A branch is pinned to the commit of the first answer.
 */
export function huggingface(options: HuggingfaceOptions): Source {
  const reader = new HubReader(options);
  return {
    name: reader.name,
    kind: 'huggingface',
    layer: 'origin',
    origin: reader.endpoint.origin,
    bucket: BUCKET,
    capabilities: () => ({ range: reader.servesRange, blocks: false, maxConnections: MAX_CONNECTIONS }),
    read: (request, sink, signal) => reader.read(request, sink, signal),
  };
}

class HubReader {
  readonly endpoint: URL;
  readonly name: string;
  servesRange: boolean | undefined;
  readonly #options: HuggingfaceOptions;
  readonly #resolved: ResolvedUrl;
  readonly #health: SourceHealth;
  #commit: string | undefined;
  #warned = false;

  constructor(options: HuggingfaceOptions) {
    const { file } = options;
    this.#options = options;
    this.endpoint = new URL(file.endpoint);
    this.name = `${this.endpoint.host}/${repoPath(file)}@${file.revision}/${file.path}`;
    this.#resolved = new ResolvedUrl(options.http.now);
    this.#health = options.health ?? new SourceHealth();
  }

  async read(request: ReadRequest, sink: ByteSink, signal: AbortSignal): Promise<void> {
    this.#warnOfSize(request.sizeBytes ?? 0);
    await this.#resolved.through(
      async (known) => {
        if (known === undefined) await this.#readLogical(request, sink, signal);
        else await readRanged(this.#resolvedGet(known), request, sink, signal);
      },
      (error, known) => isExpiry(error) || (known !== undefined && isOldLink(error)),
    );
  }

  /** A throttled token has a cooldown of its own; requests without it have a separate limit, so they are tried. */
  async #readLogical(request: ReadRequest, sink: ByteSink, signal: AbortSignal): Promise<void> {
    const { token } = this.#options;
    if (token !== undefined && this.#tokenWaitMs === 0) {
      try {
        return void (await readRanged(this.#logicalGet(request, token), request, sink, signal));
      } catch (error) {
        if (!isThrottledByHub(error)) throw error;
        this.#health.coolDown(this.#tokenKey, error.retryAfterMs ?? TOKEN_COOLDOWN_MS);
      }
    }
    try {
      await readRanged(this.#logicalGet(request), request, sink, signal);
    } catch (error) {
      throw token === undefined ? error : this.#forToken(error);
    }
  }

  /** Key of the cooldown that applies to this token. */
  get #tokenKey(): string {
    return `${this.endpoint.origin} with a token`;
  }

  get #tokenWaitMs(): number {
    return this.#health.waitMs(this.#tokenKey);
  }

  /** A request that is refused without the token may succeed with it after its cooldown. */
  #forToken(error: unknown): unknown {
    if (!(error instanceof SourceError) || error.cause === CONTENT_HOST) return error;
    const { kind, httpStatus, message } = error;
    const waitMs = this.#tokenWaitMs;
    if (httpStatus === 429) {
      const retryAfterMs = Math.min(waitMs, error.retryAfterMs ?? Infinity);
      const { bucket, namesReason } = error;
      return new SourceError(kind, this.name, message, { httpStatus, retryAfterMs, bucket, namesReason });
    }
    if (kind !== 'forbidden' && kind !== 'missing') return error;
    const both = `the token is throttled, and without it the hub ${message}`;
    return new SourceError('throttled', this.name, both, { httpStatus, retryAfterMs: waitMs, bucket: 'token' });
  }

  #logicalGet(request: ReadRequest, token?: string): RangedGet {
    const { file, trusted, http } = this.#options;
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

  #commonGet(): Pick<RangedGet, 'http' | 'source' | 'fileName' | 'isProvable' | 'allowDowngrade' | 'learnRange'> {
    const { isProvable = false, allowDowngrade = false } = this.#options;
    return {
      isProvable,
      allowDowngrade: allowDowngrade && isProvable,
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
    // Hosts of the hub require the token, which is sent to the logical URL only.
    if (response.url.origin !== this.endpoint.origin) this.#resolved.learn(response);
    return head;
  }

  #warnOfSize(sizeBytes: number): void {
    if (this.#warned || sizeBytes <= PLAIN_HTTP_BYTES) return;
    this.#warned = true;
    this.#options.logger.warn({ source: this.name, sizeBytes }, 'hub may refuse a file this long over plain HTTP');
  }
}

/** Adds the facts of the answer of the hub itself; its size is checked before a byte of the content host is taken. */
function linkedHead(source: string, response: HttpResponse, head: ResponseHead, request: ReadRequest): ResponseHead {
  const { headers } = response.first;
  const size = headers['x-linked-size'];
  if (size !== undefined && request.sizeBytes !== undefined && Number(size) !== request.sizeBytes)
    throw new SourceError('size-mismatch', source, `has ${size} bytes, expected ${request.sizeBytes} bytes`);
  return { ...head, revision: headers['x-repo-commit'] };
}

const EXPIRED = new Set([401, 403, 404, 410]);

/** The hub limits requests by token, and those without one by address. */
const isThrottledByHub = (error: unknown): error is SourceError =>
  error instanceof SourceError && error.httpStatus === 429 && error.cause !== CONTENT_HOST;

/** The content host refused a URL of the hub, remembered or new; a refusal by the hub itself is final. */
const isExpiry = (error: unknown): boolean =>
  error instanceof SourceError && error.cause === CONTENT_HOST && EXPIRED.has(error.httpStatus ?? 0);

/** Marks an error answer that came from the content host. */
const CONTENT_HOST = 'the content host';

function contentHostError(source: string, response: HttpResponse, nowMs: number): SourceError {
  const error = statusError(source, response.status, response.headers, nowMs, `by ${response.url.host}`);
  const { kind, retryAfterMs, bucket, httpStatus, namesReason, message } = error;
  return new SourceError(kind, source, message, { cause: CONTENT_HOST, retryAfterMs, bucket, httpStatus, namesReason });
}
