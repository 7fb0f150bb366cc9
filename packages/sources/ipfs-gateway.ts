import type { SourceFailureKind } from '#core/failure';
import { SourceError } from '#core/failure';
import type { Source } from '#core/source';
import { PAGE_REST_MS } from '#core/policy';
import { kindOfStatus, statusError } from '#http/http-error';
import type { Http } from '#http/pool';
import type { HttpResponse } from '#http/request';
import { requestBytes } from '#http/small-request';
import type { Gateway } from './gateways.ts';
import { readRanged } from './ranged-get.ts';

export interface IpfsGatewayOptions {
  readonly http: Http;
  readonly gateway: Gateway;
  /** Of one file, in any form gateways read. */
  readonly cid: string;
  /** Last part of the file's path. */
  readonly fileName: string;
  /** The operator named this gateway: its own address is not questioned. */
  readonly trusted: boolean;
}

/** Connections to one gateway at once (docs/ipfs.md). */
const MAX_CONNECTIONS = 4;
const MAX_REDIRECTS = 3;
/** What a gateway of boxo's family writes when it looked and did not find (docs/ipfs.md). */
const NOT_HERE =
  /^(ipld: could not find node|peer does not have|getting pieces containing cid|failed to load root node)/i;

/** One file by CID from an IPFS HTTP gateway: plain bytes by range, and single blocks. It proves nothing. */
export function ipfsGateway(options: IpfsGatewayOptions): Source {
  const { http, gateway, trusted } = options;
  const origin = new URL(gateway.baseUrl).origin;
  const name = gateway.baseUrl.replace(/^https?:\/\//, '');
  const url = (cid: string): string => `${gateway.baseUrl}/ipfs/${encodeURIComponent(cid)}`;
  let servesRange: boolean | undefined = gateway.hints.blocksOnly ? false : undefined;
  const explain = (response: HttpResponse, body: string): SourceError => gatewayError(name, response, body, http.now());
  return {
    name,
    kind: 'ipfs-gateway',
    layer: 'ipfs',
    origin,
    capabilities: () => ({
      range: servesRange,
      blocks: true,
      maxConnections: MAX_CONNECTIONS,
      maxRangeFileBytes: gateway.hints.maxRangeFileBytes,
      requestsPerMinute: gateway.hints.requestsPerMinute,
    }),
    async read(request, sink, signal) {
      const learnRange = (serves: boolean): void => {
        servesRange = serves;
      };
      const explainRead = (response: HttpResponse, body: string): SourceError => {
        const error = explain(response, body);
        if (error.kind === 'range-refused') servesRange = false;
        return error;
      };
      const ask = { http, source: name, url: url(options.cid), fileName: options.fileName, trusted };
      const rules = { maxRedirects: MAX_REDIRECTS, restAfterPageMs: PAGE_REST_MS, learnRange, explain: explainRead };
      await readRanged({ ...ask, ...rules, headers: { accept: '*/*' } }, request, sink, signal);
    },
    async readBlock(cid, maxBytes, signal) {
      const headers = { accept: 'application/vnd.ipld.raw' };
      const ask = { url: `${url(cid)}?format=raw`, source: name, headers, trusted, maxRedirects: MAX_REDIRECTS };
      const { response, bytes } = await requestBytes(http, ask, maxBytes, signal);
      if (response.status === 204) return new Uint8Array(0);
      if (response.status !== 200) throw explain(response, bytes.toString('utf8'));
      if (/^text\/html/i.test(response.headers['content-type'] ?? ''))
        throw new SourceError('bad-response', name, 'sent an HTML page, not a block', { retryAfterMs: PAGE_REST_MS });
      return bytes;
    },
  };
}

/** Status classes of the trustless gateway world: not here, later, range unsupported, server error. */
function gatewayError(source: string, response: HttpResponse, body: string, nowMs: number): SourceError {
  const kind = gatewayKind(response.status, body);
  return statusError(source, response.status, response.headers, nowMs, firstLine(response, body), kind);
}

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
