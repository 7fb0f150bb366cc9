import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CidParts } from '#content/cid/cid-bytes';
import { BoundedMap } from '#core/bounded-map';
import { StorageError, VerifyError } from '#core/failure';
import { silentLogger, type Logger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import { serverUrl } from '#os/addresses';
import type { Store } from '#store/open-store';
import { clientLimits, type ClientLimits } from './access/client-limits.ts';
import { pageOrigins } from './access/page-origins.ts';
import { visitors, type AccessRules } from './access/readers.ts';
import { openContents } from './blocks/contents.ts';
import { heldBlocks, type MadeBlocks } from './blocks/held-blocks.ts';
import { LeafShelf } from './blocks/leaf-shelf.ts';
import { catalogueOf, readerOf } from './catalogue.ts';
import { answerGateway } from './gateway/gateway.ts';
import { answerHub } from './hub/hub.ts';
import type { RepoAlias } from './hub/hub-repo.ts';
import { hubRequest, type HubRequest } from './hub/hub-request.ts';
import { answerText, isHead, SOON, type Exchange } from './http/exchange.ts';
import { ClientGone } from './http/send-content.ts';
import { wrongBytes } from './http/wrong-bytes.ts';
import { answerIndex } from './index-page.ts';
import { answerNotServed } from './not-served.ts';
import { answerProviders } from './routing/providers.ts';
import type { PullThrough } from './pull/pull-through.ts';
import type { ServedKind, ServedRequest } from './served.ts';
import { answerSwarm } from './swarm/answer-swarm.ts';
import { GrowingFiles } from './swarm/growing-files.ts';
import { UploadSlots } from './swarm/upload-slots.ts';

export interface ServeOptions {
  readonly store: Store;
  readonly access?: AccessRules | undefined;
  readonly limits?: ClientLimits | undefined;
  /** Of all clients together; undefined: no limit. */
  readonly totalBytesPerSecond?: number | undefined;
  /** Names of repositories under which models are served, beside those that they came from. */
  readonly repos?: readonly RepoAlias[] | undefined;
  /** Patterns of models that only readers with a token see. */
  readonly privateModels?: readonly string[] | undefined;
  /** Web pages of these origins may read in a browser: `https://app.example`, or `*` for all; undefined: none. */
  readonly origins?: readonly string[] | undefined;
  /** What is asked for and not here is fetched; undefined: nothing is. */
  readonly pull?: PullThrough | undefined;
  /** Files that this process fetches, which other hosts may have parts of already. */
  readonly growing?: GrowingFiles | undefined;
  /** Names this server to other hosts; undefined: a random name. */
  readonly peerId?: string | undefined;
  /** Text of `/metrics`, in the format of Prometheus. */
  readonly metrics?: (() => Promise<string>) | undefined;
  /** Called after each answer. */
  readonly onServed?: ((served: ServedRequest) => void) | undefined;
  readonly logger?: Logger | undefined;
}

/** @param stopping aborts when the server stops */
export type ServeHandler = (request: IncomingMessage, response: ServerResponse, stopping: AbortSignal) => void;

type Route = (exchange: Exchange) => Promise<void> | void;

/**
 * Serves a store to standard clients: as an IPFS gateway below `/ipfs/`, as a hub, and to other hosts below `/swarm/`. Whatever is sent is proven by a digest or a CID;
 * an answer that cannot be proven to its end breaks off.
 *
 * @throws RangeError for access rules that are none
 */
export function createServe(options: ServeOptions): ServeHandler {
  const { logger = silentLogger, onServed } = options;
  const onWrongClock = clockWarnings(logger);
  const visitorOf = visitors({ tokens: [], networks: [], ...options.access, onWrongClock });
  const limitOf = clientLimits(options.limits ?? {});
  const { pace: paceOfAll } = clientLimits({ bytesPerSecond: options.totalBytesPerSecond })('all');
  const wrongBytesOf = wrongBytes();
  const admitsPage = pageOrigins(options.origins ?? []);
  const routeOf = routes(options);
  return (request, response, stopping) => {
    const startedAt = performance.now();
    // A browser asks first, without the token that it sends then.
    if (admitsPage(request, response)) return;
    const visitor = visitorOf(request);
    const client = limitOf(visitor.key);
    const exchange = {
      ...exchangeOf(request, response),
      ...{ isTrusted: visitor.isTrusted, pace: both(client.pace, paceOfAll), stopping, startedAt },
      wrongBytes: wrongBytesOf(visitor.key),
    };
    const { kind, answer } = routeOf(exchange);
    if (onServed !== undefined) observe(exchange, kind, startedAt, onServed);
    const waitMs = client.request();
    const run: Route = !visitor.mayRead ? refuseStranger : waitMs > 0 ? tooMany(waitMs) : answer;
    void (async () => run(exchange))().catch((error: unknown) => endBroken(exchange, error, logger));
  };
}

/** Warns once of each host whose clock is wrong: its requests are refused. */
function clockWarnings(logger: Logger): (address: string, aheadMs: number) => void {
  const told = new BoundedMap<true>({ capacity: 1_000 });
  return (address, aheadMs) => {
    if (told.get(address) !== undefined) return;
    told.set(address, true);
    const aheadSeconds = Math.round(aheadMs / SECOND_MS);
    logger.warn(
      { address, aheadSeconds },
      'a host of the site is refused: its clock and the clock of this host differ',
    );
  };
}

/** Waits for the limit of the client and for that of all together. */
const both = (one: Exchange['pace'], all: Exchange['pace']): Exchange['pace'] =>
  one === undefined || all === undefined
    ? (one ?? all)
    : async (bytes) => {
        await one(bytes);
        await all(bytes);
      };

/** A name or an address, and a port. */
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;

/** For clients that name no host, as HTTP/1.0 allows, or none that a URL can have. */
function ownHost({ socket: { localAddress = '', localPort } }: IncomingMessage): string {
  return new URL(serverUrl(localAddress.replace(/^::ffff:(?=\d+\.)/i, ''), localPort!)).host;
}

function exchangeOf(
  request: IncomingMessage,
  response: ServerResponse,
): Pick<Exchange, 'request' | 'response' | 'path' | 'query' | 'origin'> {
  // A server must accept the whole URL as well, as clients send it to a proxy.
  const target = (request.url ?? '/').replace(/^https?:\/\/[^/?]*/i, '');
  const end = target.indexOf('?');
  const path = (end < 0 ? target : target.slice(0, end)).replace(/\/{2,}/g, '/') || '/';
  const query = new URLSearchParams(end < 0 ? '' : target.slice(end + 1));
  // TLS is the work of a proxy: behind one, links that clients follow must lead to the proxy.
  const scheme = /^https\b/i.test(`${request.headers['x-forwarded-proto']}`) ? 'https' : 'http';
  const { host = '' } = request.headers;
  const origin = `${scheme}://${HOST.test(host) ? host : ownHost(request)}`;
  return { request, response, path, query, origin };
}

function routes(options: ServeOptions): (exchange: Exchange) => { kind: ServedKind; answer: Route } {
  const { store, logger, metrics, pull } = options;
  const shelf = new LeafShelf(store);
  const contents = openContents(store, shelf, logger);
  const catalogue = catalogueOf({
    ...{ store, shelf, aliases: options.repos ?? [], privateModels: options.privateModels ?? [] },
  });
  const made: MadeBlocks = async (digest, { isTrusted }) => {
    const all = await catalogue();
    const block = (await all.folderBlocks()).get(digest);
    return block !== undefined && (isTrusted || !all.isPrivate(block.model)) ? block.bytes : undefined;
  };
  const { growing = new GrowingFiles(), peerId = randomUUID() } = options;
  const blocks = heldBlocks(store, { shelf, contents, logger, made, growing });
  const swarmParts = { growing, peerId, slots: new UploadSlots() };
  const partsFor = async ({ isTrusted }: Exchange) => {
    const all = await catalogue();
    const reader = readerOf(all, isTrusted);
    return { all, reader, contents, blocks: { get: (cid: CidParts, root?: string) => blocks.get(cid, reader, root) } };
  };
  const gateway: Route = async (exchange) =>
    answerGateway(exchange, { ...(await partsFor(exchange)), pull: pull?.cids });
  const swarm: Route = async (exchange) => answerSwarm(exchange, { ...(await partsFor(exchange)), ...swarmParts });
  const providers: Route = async (exchange) =>
    answerProviders(exchange, { ...(await partsFor(exchange)), pull: pull?.cids });
  const hub =
    (asked: HubRequest): Route =>
    async (exchange) => {
      const { all, reader } = await partsFor(exchange);
      const { repos, isPrivate } = all;
      await answerHub(exchange, asked, { contents, reader, repos, isPrivate, mirror: pull?.hub, files: pull?.files });
    };
  return (exchange) => {
    const { path } = exchange;
    if (/^\/ipfs\/./.test(path)) return { kind: 'ipfs', answer: gateway };
    if (path.startsWith('/routing/v1/')) return { kind: 'routing', answer: providers };
    if (path.startsWith('/swarm/')) return { kind: 'swarm', answer: swarm };
    const asked = hubRequest(path);
    if (asked !== undefined) return { kind: asked.ask === 'file' ? 'hub-file' : 'hub-api', answer: hub(asked) };
    const isRead = exchange.request.method === 'GET' || isHead(exchange);
    if (path === '/' && isRead)
      return { kind: 'other', answer: async () => answerIndex(exchange, await catalogue(), pull?.allow ?? []) };
    if (path === '/metrics' && isRead && metrics !== undefined) return { kind: 'other', answer: metricsRoute(metrics) };
    return { kind: 'other', answer: answerNotServed };
  };
}

const metricsRoute =
  (metrics: () => Promise<string>): Route =>
  async (exchange) =>
    answerText(exchange, 200, await metrics(), { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });

function refuseStranger(exchange: Exchange): void {
  answerText(
    exchange,
    401,
    'send a token of this server as Authorization: Bearer, or ask from a network that may read',
    {
      'www-authenticate': 'Bearer',
    },
  );
}

const tooMany =
  (waitMs: number): Route =>
  (exchange) =>
    answerText(exchange, 429, 'too many requests of this client', { 'retry-after': Math.ceil(waitMs / SECOND_MS) });

function observe(
  exchange: Exchange,
  kind: ServedKind,
  startedAt: number,
  onServed: (served: ServedRequest) => void,
): void {
  const { response, request } = exchange;
  const { socket } = request;
  const before = socket.bytesWritten;
  response.once('close', () =>
    onServed({
      kind,
      status: response.statusCode,
      sentBytes: socket.bytesWritten - before,
      durationMs: performance.now() - startedAt,
      isWhole: response.writableFinished,
    }),
  );
}

/** An answer that has begun cannot become an error: the client notices the broken connection. */
function endBroken(exchange: Exchange, error: unknown, logger: Logger): void {
  const { request, response, path } = exchange;
  if (!(error instanceof ClientGone)) logger.warn({ err: error, path }, 'answer broke off');
  if (response.headersSent || error instanceof ClientGone) {
    // Without chunks, the end of the connection is the end of the content: only a reset tells that it broke off.
    if (request.httpVersionMinor === 0) request.socket.resetAndDestroy();
    else response.destroy();
    return;
  }
  const isDisk = error instanceof StorageError || error instanceof VerifyError;
  answerText(exchange, isDisk ? 503 : 500, isDisk ? 'it cannot be read from the disk now' : 'the server failed', {
    ...(isDisk && SOON),
  });
}
