import { tryParseCid } from '#content/cid/cid';
import { blockMatches } from '#content/cid/cid-bytes';
import { loadHash } from '#content/digest/multihash';
import { disguiseOf } from '#core/bytes/first-bytes';
import type { SourceFailureKind } from '#core/failure';
import { SourceError } from '#core/failure';
import type { ByteSink, ReadRequest, ResponseHead, Source } from '#core/source';
import { PAGE_REST_MS } from '#core/policy';
import { SECOND_MS } from '#core/units';
import { kindOfStatus, statusError } from '#http/http-error';
import type { Http } from '#http/pool';
import type { HttpRequest, HttpResponse } from '#http/request';
import { requestBytes } from '#http/small-request';
import { BlockUrls } from './block-urls.ts';
import type { Gateway } from './gateways.ts';
import { readRanged } from '../ranged-get.ts';
import type { Resolved } from '../resolved-url.ts';
import { ResolvedUrl } from '../resolved-url.ts';

export interface IpfsGatewayOptions {
  readonly http: Http;
  readonly gateway: Gateway;
  /** CID of the file, in any form that gateways parse. */
  readonly cid: string;
  /** Last part of the file's path. */
  readonly fileName: string;
  /** The operator named this gateway: the address policy does not apply to its own address. */
  readonly trusted: boolean;
  /** Follow redirects from https to http; the CID proves the bytes. */
  readonly allowDowngrade?: boolean | undefined;
}

/** Connections to one gateway at once (docs/rules/ipfs.md). */
const MAX_CONNECTIONS = 4;
const MAX_REDIRECTS = 3;
/** Least cooldown of a throttling gateway, also if its Retry-After is shorter (docs/rules/ipfs.md). */
const LEAST_COOLDOWN_MS = SECOND_MS;
/** Bodies with which boxo-based gateways report that content was not found (docs/rules/ipfs.md). */
const NOT_HERE =
  /^(ipld: could not find node|peer does not have|getting pieces containing cid|failed to load root node)/i;

/** One file by CID from an IPFS HTTP gateway: plain bytes by range, and single blocks. Verifies nothing. */
export function ipfsGateway(options: IpfsGatewayOptions): Source {
  const reader = new GatewayReader(options);
  const { hints } = options.gateway;
  return {
    name: reader.name,
    kind: 'ipfs-gateway',
    layer: 'ipfs',
    origin: new URL(options.gateway.baseUrl).origin,
    cid: options.cid,
    capabilities: () => ({
      range: reader.servesRange,
      blocks: true,
      maxConnections: MAX_CONNECTIONS,
      maxRangeFileBytes: hints.maxRangeFileBytes,
      requestsPerMinute: hints.requestsPerMinute,
      requestsPerMinutePerCid: hints.requestsPerMinutePerCid,
    }),
    read: (request, sink, signal) => reader.read(request, sink, signal),
    readBlock: (cid, maxBytes, signal) => reader.readBlock(cid, maxBytes, signal),
  };
}

/** Remembers where redirects of the gateway ended: many redirect to a subdomain for each CID, or to another host for blocks. */
class GatewayReader {
  readonly name: string;
  servesRange: boolean | undefined;
  readonly #options: IpfsGatewayOptions;
  readonly #file: ResolvedUrl;
  readonly #blocks: BlockUrls;

  constructor(options: IpfsGatewayOptions) {
    const { gateway, http } = options;
    this.#options = options;
    this.name = gateway.baseUrl.replace(/^https?:\/\//, '');
    this.servesRange = gateway.hints.blocksOnly ? false : undefined;
    this.#file = new ResolvedUrl(http.now);
    this.#blocks = new BlockUrls(http.now);
  }

  async read(request: ReadRequest, sink: ByteSink, signal: AbortSignal): Promise<void> {
    const { http, fileName, cid } = this.#options;
    const common = {
      http,
      fileName,
      source: this.name,
      isProvable: true,
      cooldownAfterPageMs: PAGE_REST_MS,
      learnRange: (serves: boolean) => void (this.servesRange = serves),
      explain: (response: HttpResponse, body: string) => this.#explainRead(response, body),
      refine: (response: HttpResponse, head: ResponseHead) => (this.#file.learn(response), head),
    };
    await this.#file.through((known) =>
      readRanged({ ...common, ...this.#at(known, cid), headers: { accept: '*/*' } }, request, sink, signal),
    );
  }

  readBlock(cid: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    return this.#blocks.through(cid, (known) => this.#readBlock(cid, known, maxBytes, signal));
  }

  async #readBlock(
    cid: string,
    known: Resolved | undefined,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { http } = this.#options;
    const headers = { accept: 'application/vnd.ipld.raw' };
    const ask = { ...this.#at(known, cid, '?format=raw'), source: this.name, headers };
    const { response, bytes } = await requestBytes(http, ask, maxBytes, signal);
    if (response.status === 204) return new Uint8Array(0);
    if (response.status !== 200) throw this.#explain(response, bytes.toString('utf8'));
    if (disguiseOf(bytes) === 'an HTML page' && !(await isBlock(cid, bytes)))
      throw new SourceError('bad-response', this.name, 'sent an HTML page, not a block', {
        retryAfterMs: PAGE_REST_MS,
      });
    this.#blocks.learn(cid, response);
    return bytes;
  }

  /** The URL of the gateway itself, or the one to which its redirects led. */
  #at(known: Resolved | undefined, cid: string, query = ''): Place {
    const { gateway, trusted, allowDowngrade } = this.#options;
    const common = { maxRedirects: MAX_REDIRECTS, allowDowngrade };
    if (known !== undefined) return { url: known.url, addressMode: known.addressMode, ...common };
    const url = `${gateway.baseUrl}/ipfs/${encodeURIComponent(cid)}${query}`;
    return { url, trusted, ...common };
  }

  #explainRead(response: HttpResponse, body: string): SourceError {
    const error = this.#explain(response, body);
    if (error.kind === 'range-refused') this.servesRange = false;
    return error;
  }

  /** Makes the error of an error status by the rules of IPFS gateways (docs/rules/ipfs.md). */
  #explain(response: HttpResponse, body: string): SourceError {
    const kind = gatewayKind(response.status, body);
    const { status, headers } = response;
    const error = statusError(this.name, status, headers, this.#options.http.now(), firstLine(response, body), kind);
    const { retryAfterMs, httpStatus, namesReason, message } = error;
    if (retryAfterMs === undefined || retryAfterMs >= LEAST_COOLDOWN_MS) return error;
    return new SourceError(kind, this.name, message, { httpStatus, retryAfterMs: LEAST_COOLDOWN_MS, namesReason });
  }
}

/** Whether the bytes are the block: a block of a stored HTML page looks like a page, so the CID decides. */
async function isBlock(cid: string, bytes: Uint8Array): Promise<boolean> {
  const parts = tryParseCid(cid);
  if (parts === undefined) return false;
  await loadHash(parts.hashCode);
  return blockMatches(parts, bytes);
}

type Place = Pick<HttpRequest, 'url' | 'trusted' | 'addressMode' | 'maxRedirects' | 'allowDowngrade'>;

export function gatewayKind(status: number, body: string): SourceFailureKind {
  if (status === 403 || status === 412) return 'missing';
  if (status === 500 && NOT_HERE.test(body.trimStart())) return 'missing';
  if (status === 400 || status === 406) return 'range-refused';
  return kindOfStatus(status);
}

function firstLine(response: HttpResponse, body: string): string {
  const isText = /^text\/plain/i.test(response.headers['content-type'] ?? '');
  return isText
    ? body
        .split('\n', 1)[0]!
        .slice(0, 200)
        .replace(/[^\x20-\x7e]/g, ' ')
    : '';
}
