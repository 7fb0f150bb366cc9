import type { ByteRange } from '#core/bytes/byte-range';
import { rangeHeader } from '#core/bytes/byte-range';
import { SourceError } from '#core/failure';
import type { ByteSink, ReadRequest, ResponseHead } from '#core/source';
import { statusError } from '#http/http-error';
import type { Http } from '#http/pool';
import type { HttpRequest, HttpResponse } from '#http/request';
import { ONLY_HTTP2 } from '#http/tls-failure';
import { DoubtfulBody } from './doubtful-body.ts';
import type { Refusal } from './response-head.ts';
import { isPage, judgeHead } from './response-head.ts';
import { shownValidator } from './shown-validator.ts';

/** One ranged GET of one file, with the rules of its kind of source. */
export interface RangedGet extends Omit<HttpRequest, 'method' | 'body'> {
  readonly http: Http;
  /** Last part of the file's path. */
  readonly fileName: string;
  /** Distinguishes files whose sources have the same name; never shown. */
  readonly logicalUrl?: string | undefined;
  /** A digest or a CID proves the bytes, so no label refuses them. */
  readonly isProvable?: boolean | undefined;
  /** Makes the error of an error status by the rules of the source; undefined for the general rules. */
  readonly explain?: ((response: HttpResponse, body: string) => SourceError | undefined) | undefined;
  /** Called when an answer shows whether the source serves ranges. */
  readonly learnRange?: ((serves: boolean) => void) | undefined;
  /** Cooldown of the origin after a web page instead of the file; default none. */
  readonly cooldownAfterPageMs?: number | undefined;
  /** Called with the head after the general rules; may add to it. @throws SourceError to refuse */
  readonly refine?: ((response: HttpResponse, head: ResponseHead) => ResponseHead) | undefined;
}

const ERROR_BODY_BYTES = 4096;
/** Servers without ranges may answer a ranged request with one of these, and serve the whole file. */
const REFUSES_RANGES = new Set([400, 405, 406, 416, 501]);

const BRINGS_BYTES = new Set([200, 203, 206]);

/** Thrown to end a response whose further bytes are not needed. */
const ENOUGH = Symbol('enough');
/** Thrown to end a response with the wrong part; the request is worth one repetition. */
const MISPLACED = Symbol('misplaced');

/**
 * Requests bytes and passes to the sink only those that follow every rule of docs/rules/http.md.
 *
 * @returns the head of the last answer
 * @throws SourceError; errors of the sink unchanged
 */
export async function readRanged(
  get: RangedGet,
  request: ReadRequest,
  sink: ByteSink,
  signal: AbortSignal,
): Promise<HttpResponse> {
  try {
    return await readOnce(get, new RangedBody(get, request, sink, false), request, signal);
  } catch (error) {
    if (error !== MISPLACED) throw error;
  }
  // The connection of the first answer is closed, so this request uses another one.
  return readOnce(get, new RangedBody(get, request, sink, true), request, signal);
}

async function readOnce(
  get: RangedGet,
  body: RangedBody,
  { range }: ReadRequest,
  signal: AbortSignal,
): Promise<HttpResponse> {
  try {
    const response = await get.http.request(wireRequest(get, range), body, signal);
    await body.finish();
    return response;
  } catch (error) {
    if (error !== ENOUGH) throw error;
    return body.enough();
  }
}

function wireRequest(get: RangedGet, range: ByteRange | undefined): HttpRequest {
  const asked = range !== undefined && range.end > range.start;
  return { ...get, headers: { ...get.headers, ...(asked && { range: rangeHeader(range) }) } };
}

class RangedBody {
  readonly #get: RangedGet;
  readonly #request: ReadRequest;
  readonly #sink: ByteSink;
  readonly #isSecond: boolean;
  #response: HttpResponse | undefined;
  #head: ResponseHead | undefined;
  #position = 0;
  #errorBody: Buffer | undefined;
  /** Set when the head does not give the expected length. */
  #doubtful: DoubtfulBody | undefined;

  constructor(get: RangedGet, request: ReadRequest, sink: ByteSink, isSecond: boolean) {
    this.#get = get;
    this.#request = request;
    this.#sink = sink;
    this.#isSecond = isSecond;
  }

  head(response: HttpResponse): boolean {
    this.#response = response;
    const verdict = judgeHead(response, this.#request, this.#get.fileName);
    if ('status' in verdict) {
      this.#errorBody = Buffer.alloc(0);
      return true;
    }
    if ('refuse' in verdict) throw this.#refusal(verdict);
    if (verdict.servesRange !== undefined) this.#get.learnRange?.(verdict.servesRange);
    const take = { ...verdict.take, validator: shownValidator(response, this.#get.logicalUrl) };
    this.#head = this.#get.refine?.(response, take) ?? take;
    this.#position = this.#head.start;
    const { sizeBytes } = this.#request;
    const isProvable = this.#get.isProvable ?? false;
    if (verdict.doubt) this.#doubtful = new DoubtfulBody({ ...verdict.doubt, sizeBytes, isProvable });
    this.#sink.head(this.#head);
    return BRINGS_BYTES.has(response.status);
  }

  data(chunk: Uint8Array): void | Promise<void> {
    if (this.#errorBody) return this.#keepErrorBody(chunk);
    return this.#write(this.#doubtful ? this.#undoubted(this.#doubtful.take(chunk)) : chunk);
  }

  /** The response ended by itself. @throws SourceError when it ended early */
  async finish(): Promise<void> {
    if (this.#errorBody) throw this.#statusError();
    if (this.#doubtful) await this.#write(this.#undoubted(this.#doubtful.end()));
    const promised = this.#head?.end ?? this.#request.sizeBytes;
    if (promised !== undefined && this.#position < promised) throw this.#short(promised);
  }

  /** The response was ended because its further bytes are not needed. */
  enough(): HttpResponse {
    if (this.#errorBody) throw this.#statusError();
    return this.#response!;
  }

  #write(chunk: Uint8Array): void | Promise<void> {
    const end = this.#head!.end ?? this.#endAsked() ?? this.#request.sizeBytes ?? Infinity;
    const room = end - this.#position;
    if (chunk.byteLength < room || (chunk.byteLength === room && !this.#isPartOfWhole())) {
      this.#position += chunk.byteLength;
      return this.#sink.write(chunk);
    }
    this.#position = end;
    const written = room > 0 ? this.#sink.write(chunk.subarray(0, room)) : undefined;
    const stop = (): never => {
      throw this.#isPartOfWhole()
        ? ENOUGH
        : this.#error('size-mismatch', `sent more than ${end} bytes${this.#labelled}`);
    };
    return written === undefined ? stop() : written.then(stop);
  }

  #endAsked(): number | undefined {
    const { range } = this.#request;
    return range?.start === this.#head!.start ? range.end : undefined;
  }

  get #labelled(): string {
    const { encoding } = this.#head ?? {};
    return encoding === undefined ? '' : `, as ${encoding} although identity was asked`;
  }

  /** 200 to a range that ends inside the file: the further bytes are legal and not needed, unless the file is restarted with them. */
  #isPartOfWhole(): boolean {
    const { range, sizeBytes } = this.#request;
    return (
      this.#response!.status !== 206 &&
      range !== undefined &&
      range.start === this.#head!.start &&
      range.end < (this.#head?.totalBytes ?? sizeBytes ?? Infinity)
    );
  }

  /** @throws SourceError for a body that is shown to be something else */
  #undoubted(bytes: Uint8Array | 'refuse'): Uint8Array {
    if (bytes !== 'refuse') return bytes;
    const disguise = this.#doubtful!.disguise!;
    const advice = this.#request.sizeBytes === undefined ? '; to fetch it anyway, give its digest' : '';
    throw this.#disguised(`sent ${disguise} instead of the file${advice}`);
  }

  #disguised(message: string): SourceError {
    return this.#error(
      'bad-response',
      message,
      isPage(this.#doubtful?.disguise) ? this.#get.cooldownAfterPageMs : undefined,
    );
  }

  /** A complete body that is too short is other content; a body that ends with the connection may be cut. */
  #short(promised: number): SourceError {
    const ended = `the body ended at ${this.#position}, before ${promised}`;
    const { encoding } = this.#head ?? {};
    const instead = this.#doubtful?.disguise ?? (encoding && `${encoding} although identity was asked`);
    if (instead === undefined) return this.#error('interrupted', ended);
    const isWhole = /chunked/i.test(this.#response?.headers['transfer-encoding'] ?? '');
    return isWhole
      ? this.#disguised(`sent ${instead}: ${ended}`)
      : this.#error('interrupted', `${ended}; it is ${instead}`);
  }

  #keepErrorBody(chunk: Uint8Array): void {
    this.#errorBody = Buffer.concat([this.#errorBody!, chunk]);
    if (this.#errorBody.byteLength > ERROR_BODY_BYTES) throw ENOUGH;
  }

  #statusError(): SourceError {
    const response = this.#response!;
    const body = this.#errorBody!.toString('utf8');
    // The answer of Node's HTTP/2 server to a client that does not choose h2 by ALPN.
    if (/^Unknown ALPN Protocol, expected `h2`/m.test(body)) return this.#error('bad-response', ONLY_HTTP2);
    const explained = this.#get.explain?.(response, body);
    if (explained !== undefined) return explained;
    const { status, headers } = response;
    const refusesRange = this.#request.range !== undefined && REFUSES_RANGES.has(status);
    if (refusesRange) this.#get.learnRange?.(false);
    const kind = refusesRange ? 'range-refused' : undefined;
    return statusError(this.#get.source, status, headers, this.#get.http.now(), '', kind);
  }

  #refusal(verdict: Refusal): SourceError | typeof MISPLACED {
    if (verdict.isMisplaced === true && !this.#isSecond) return MISPLACED;
    if (verdict.refuse === 'range-refused') this.#get.learnRange?.(false);
    const retryAfterMs = verdict.isPage ? this.#get.cooldownAfterPageMs : undefined;
    return this.#error(verdict.refuse, verdict.why, retryAfterMs);
  }

  #error(kind: SourceError['kind'], message: string, retryAfterMs?: number): SourceError {
    return new SourceError(kind, this.#get.source, message, { httpStatus: this.#response?.status, retryAfterMs });
  }
}
