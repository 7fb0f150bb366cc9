import { setMaxListeners } from 'node:events';
import { codeOf } from '#core/error-facts';
import { SourceError } from '#core/failure';
import type { Connection } from './connection/connection.ts';
import type { AddressMode, ConnectionPool } from './connection/connection-pool.ts';
import type { ExchangeConsumer, ExchangeFailure, ExchangeRequest, ResponseHeaders } from './connection/exchange.ts';
import { exchange } from './connection/exchange.ts';
import { toSourceError } from './http-error.ts';
import type { ProgressTimeouts } from './connection/progress-watch.ts';
import { portOf } from './connection/proxy.ts';
import { headersAcross, isRedirect, nextHop } from './redirects.ts';
import { basicAuthorization, withoutUserInfo } from './user-info.ts';

export interface HttpRequest {
  /** User info in it is sent as Basic, to its own origin only; an `authorization` in `headers` goes before it. */
  readonly url: string | URL;
  readonly method?: 'GET' | 'HEAD' | 'POST';
  /** Names in lower case. `accept-encoding` is always `identity`, whatever stands here. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
  /** Who is asked, for errors. */
  readonly source: string;
  /** The operator typed this URL's host and port: its address is not questioned. */
  readonly trusted?: boolean | undefined;
  /** Where an earlier answer led here: the `addressMode` it had. */
  readonly addressMode?: AddressMode | undefined;
  /** Follow a redirect from https to http: the bytes will be proven, and the operator allows it. Default false. */
  readonly allowDowngrade?: boolean | undefined;
  /** Redirects followed at most; default 10, 0 hands the redirect itself to the consumer. POST follows none. */
  readonly maxRedirects?: number | undefined;
  /** Bounds for this request instead of the client's. */
  readonly timeouts?: Partial<ProgressTimeouts> | undefined;
}

/** The head of one answer on the way. */
export interface HopHead {
  readonly url: URL;
  readonly status: number;
  /** Names in lower case; repeated headers joined by `, `. */
  readonly headers: ResponseHeaders;
}

export interface HttpResponse extends HopHead {
  /** The answer of the URL that was asked: a hub says what it knows about the file there. */
  readonly first: HopHead;
  readonly redirects: number;
  /** How its address was judged; belongs to a request that comes back to this URL. */
  readonly addressMode: AddressMode;
}

export interface ResponseConsumer {
  /** @returns whether the body is wanted. Throwing ends the response with that error. */
  head(response: HttpResponse): boolean;
  /** The chunk stays as it is until the returned promise settles; nothing more arrives before. */
  data(chunk: Uint8Array): void | Promise<void>;
}

interface Settings {
  readonly timeouts: ProgressTimeouts;
  readonly userAgent: string;
}

interface Journey {
  readonly request: HttpRequest;
  readonly settings: Settings;
  readonly signal: AbortSignal;
  readonly visited: URL[];
  headers: Readonly<Record<string, string>>;
  first: HopHead | undefined;
  startIsPublic: boolean;
  setsCookie: boolean;
}

/** Sends one request and follows its redirects. */
export async function sendRequest(
  pool: ConnectionPool,
  settings: Settings,
  request: HttpRequest,
  consumer: ResponseConsumer,
  signal: AbortSignal,
): Promise<HttpResponse> {
  // Many requests of one transfer share its signal.
  setMaxListeners(0, signal);
  const journey: Journey = {
    request,
    settings,
    signal,
    visited: [startUrl(request)],
    headers: {
      ...loginOf(request.url),
      ...request.headers,
      'accept-encoding': 'identity',
      'user-agent': settings.userAgent,
    },
    first: undefined,
    startIsPublic: true,
    setsCookie: false,
  };
  for (;;) {
    const response = await oneHop(pool, journey, consumer);
    if (!follows(journey.request, response.status)) return response;
    journey.setsCookie ||= response.headers['set-cookie'] !== undefined;
    const { maxRedirects: maxHops, allowDowngrade } = request;
    const facts = { maxHops, allowDowngrade, setsCookie: journey.setsCookie };
    const next = nextHop(journey.visited, response.headers['location'], facts);
    if ('refusal' in next)
      throw new SourceError('bad-response', request.source, next.refusal, { httpStatus: response.status });
    journey.headers = headersAcross(response.url, next.url, journey.headers);
    journey.visited.push(next.url);
  }
}

function loginOf(url: string | URL): { authorization?: string } {
  const authorization = basicAuthorization(new URL(url));
  return authorization === undefined ? {} : { authorization };
}

function startUrl(request: HttpRequest): URL {
  const url = withoutUserInfo(new URL(request.url));
  if (url.protocol === 'http:' || url.protocol === 'https:') {
    url.hash = '';
    return url;
  }
  throw new SourceError('bad-response', request.source, `"${url.protocol}" is not http: or https:`);
}

const follows = (request: HttpRequest, status: number): boolean =>
  isRedirect(status) && request.method !== 'POST' && request.maxRedirects !== 0;

/** One request and its answer; a redirect's own body is never the consumer's. */
async function oneHop(pool: ConnectionPool, journey: Journey, consumer: ResponseConsumer): Promise<HttpResponse> {
  const seen: { response?: HttpResponse } = {};
  const url = journey.visited.at(-1)!;
  const mode = modeOf(journey, url);
  const hop: ExchangeConsumer = {
    head: (status, headers) => {
      journey.first ??= { url, status, headers };
      const redirects = journey.visited.length - 1;
      seen.response = { url, status, headers, first: journey.first, redirects, addressMode: mode };
      return !follows(journey.request, status) && consumer.head(seen.response);
    },
    data: (chunk) => consumer.data(chunk),
  };
  const failure = await attempt(pool, journey, url, mode, hop);
  if (failure) throw errorOf(failure, journey.request.source);
  return seen.response!;
}

function errorOf(failure: ExchangeFailure, source: string): unknown {
  if (failure.byConsumer) return failure.error;
  return toSourceError(failure.error, source, failure.before === 'end' ? 'body' : 'connecting');
}

/**
 * A connection that waited may have been closed by the server just as we use it. A request that changes nothing and got
 * no answer is then sent again on a new connection, once (RFC 9110 section 9.2.2).
 */
async function attempt(
  pool: ConnectionPool,
  journey: Journey,
  url: URL,
  mode: AddressMode,
  hop: ExchangeConsumer,
): Promise<ExchangeFailure | undefined> {
  for (let fresh = false; ; fresh = true) {
    let connection: Connection;
    try {
      connection = await pool.acquire(url, mode, journey.signal, fresh);
    } catch (error) {
      return { error, before: 'sent', byConsumer: false };
    }
    const reused = connection.requests > 0;
    connection.requests += 1;
    const timeouts = { ...journey.settings.timeouts, ...journey.request.timeouts };
    const failure = await exchange(connection, wireRequest(journey, url, connection), hop, timeouts, journey.signal);
    if (journey.visited.length === 1) journey.startIsPublic = connection.isPublic;
    pool.release(url, mode, connection);
    if (!failure || fresh || !reused || failure.before === 'end' || !mayRepeat(journey, failure.error)) return failure;
  }
}

const CLOSED_WHILE_IDLE = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

const mayRepeat = (journey: Journey, error: unknown): boolean =>
  journey.request.method !== 'POST' && !journey.signal.aborted && CLOSED_WHILE_IDLE.has(codeOf(error));

function wireRequest(journey: Journey, url: URL, connection: Connection): ExchangeRequest {
  const { method = 'GET', body } = journey.request;
  const proxy = connection.viaProxy;
  if (!proxy) return { method, path: url.pathname + url.search, headers: journey.headers, body };
  const authorization = proxy.authorization === undefined ? {} : { 'proxy-authorization': proxy.authorization };
  return { method, path: url.href, headers: { ...journey.headers, host: url.host, ...authorization }, body };
}

/** Public sources may not send us into private networks, even where the operator allows those or named the source. */
function modeOf(journey: Journey, url: URL): AddressMode {
  const { request, visited, startIsPublic } = journey;
  if (visited.length === 1) return request.addressMode ?? (request.trusted === true ? 'trusted' : 'normal');
  if (startIsPublic) return 'strict';
  return request.trusted === true && isWithin(url, visited[0]!) ? 'trusted' : 'normal';
}

/** The same host and port, or a subdomain of it: gateways move a CID into the name (subdomain gateways). */
const isWithin = (url: URL, start: URL): boolean =>
  portOf(url) === portOf(start) && (url.hostname === start.hostname || url.hostname.endsWith(`.${start.hostname}`));
