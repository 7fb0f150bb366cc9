import { redactUserInfo } from '#http/redaction';

/** Known limits of one public gateway; the gateways of the operator need no entry. */
export interface GatewayHints {
  /** Over all requests. */
  readonly requestsPerMinute?: number | undefined;
  /** For each CID. */
  readonly requestsPerMinutePerCid?: number | undefined;
  /** Longer files are not served by range. */
  readonly maxRangeFileBytes?: number | undefined;
  /** Serves blocks only. */
  readonly blocksOnly?: boolean | undefined;
}

const CDN_RANGE_BYTES = 5 * 1024 ** 3;

/** Hints by host name, also for subdomains; an entry of the operator replaces the built-in one. */
export type GatewayData = Readonly<Record<string, GatewayHints>>;

/** Built-in hints; the figures are those that the operators of the gateways published (2026). */
export const GATEWAY_HINTS: GatewayData = {
  'ipfs.io': { maxRangeFileBytes: CDN_RANGE_BYTES },
  'dweb.link': { maxRangeFileBytes: CDN_RANGE_BYTES },
  'trustless-gateway.link': { blocksOnly: true },
  'gateway.pinata.cloud': {
    requestsPerMinute: 200,
    requestsPerMinutePerCid: 15,
    maxRangeFileBytes: CDN_RANGE_BYTES,
  },
  'ipfs.filebase.io': { requestsPerMinute: 200 },
  '4everland.io': { requestsPerMinute: 300 },
};

const USE_INSTEAD = 'remove it from IPFS_GATEWAYS and name a gateway of your own';

/** Gateways that were switched off, and the reason to show. */
export const DEAD_GATEWAYS: Readonly<Record<string, string>> = {
  'cloudflare-ipfs.com': `it was switched off on 2024-08-14: ${USE_INSTEAD}`,
  'cf-ipfs.com': `it was switched off on 2024-08-14: ${USE_INSTEAD}`,
  'w3s.link': `it serves no files any more: ${USE_INSTEAD}`,
  'nftstorage.link': `it serves no files any more: ${USE_INSTEAD}`,
  'hardbin.com': `it is gone: ${USE_INSTEAD}`,
  'ipfs.fleek.co': `it is gone: ${USE_INSTEAD}`,
  'ipfs.eth.aragon.network': `it is gone: ${USE_INSTEAD}`,
  'ipfs.runfission.com': `it is gone: ${USE_INSTEAD}`,
};

export interface Gateway {
  /** Without trailing slash and without `/ipfs`. */
  readonly baseUrl: string;
  readonly hints: GatewayHints;
}

/**
 * Parses one entry of IPFS_GATEWAYS: `https://gateway.example`, `http://127.0.0.1:8080/ipfs/` or a bare host.
 *
 * @param data takes precedence over built-in hints, also for a gateway that is listed as switched off
 * @throws RangeError that names the entry and a correct form, also for a gateway that was switched off
 */
export function parseGateway(text: string, data: GatewayData = {}): Gateway {
  const trimmed = text.trim();
  const full = trimmed.includes('://') ? trimmed : `https://${trimmed}`;
  if (trimmed === '' || !URL.canParse(full)) throw badGateway(text);
  const url = new URL(full);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw badGateway(text);
  if (url.username !== '' || url.search !== '') throw badGateway(text);
  const hints = byHost(data, url.hostname) ?? builtInHints(text, url.hostname);
  const path = url.pathname.replace(/\/+$/, '').replace(/\/ipfs$/, '');
  return { baseUrl: url.origin + path, hints };
}

function builtInHints(text: string, host: string): GatewayHints {
  const dead = byHost(DEAD_GATEWAYS, host);
  if (dead !== undefined) throw new RangeError(`"${text}" cannot serve: ${dead}`);
  return byHost(GATEWAY_HINTS, host) ?? {};
}

const badGateway = (text: string): RangeError =>
  new RangeError(
    `"${redactUserInfo(text)}" is not a gateway: write for example https://gateway.example or http://127.0.0.1:8080`,
  );

/** Of several matching entries, the longest name is the most specific. */
function byHost<T>(table: Readonly<Record<string, T>>, host: string): T | undefined {
  const fitting = Object.keys(table).filter((known) => host === known || host.endsWith(`.${known}`));
  const [name] = fitting.sort((a, b) => b.length - a.length);
  return name === undefined ? undefined : table[name];
}
