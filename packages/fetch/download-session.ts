import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp, type Http } from '#http/pool';
import type { ProxySettings } from '#http/connection/proxy';
import { OriginGates } from '#sources/guards/limited';
import { SourceHealth } from '#sources/guards/source-health';
import { createThrottle, type ByteLimit } from '#transfer/report/throttle';
import { Leftovers } from './target/target-lease.ts';

export interface SessionOptions {
  /** Let redirects lead to private addresses. */
  readonly allowPrivate?: boolean | undefined;
  /** Private addresses that redirects may lead to, such as `10.0.0.0/8`, `gateway.lan` or `gateway.lan:8080`. */
  readonly allowAddresses?: readonly string[] | undefined;
  /** No byte for this long is a failure; milliseconds; default 30,000. */
  readonly stallTimeoutMs?: number | undefined;
  /** Limit for all downloads together. */
  readonly limitBytesPerSecond?: number | undefined;
  /** Most connections to one origin; default 16. */
  readonly mostConnections?: number | undefined;
  readonly proxy?: ProxySettings | undefined;
  /** Certificate authorities in PEM, instead of Node's own. */
  readonly ca?: string | readonly string[] | undefined;
}

/** Connections, and the health of every origin, for any number of downloads. */
export interface DownloadSession {
  readonly http: Http;
  readonly health: SourceHealth;
  readonly gates: OriginGates;
  readonly leftovers: Leftovers;
  /** Each limits the bytes of all downloads together. */
  readonly throttles: readonly ByteLimit[];
  close(): void;
}

/** Opens a session, which the caller closes. */
export function openSession(options: SessionOptions): DownloadSession {
  const { mostConnections, limitBytesPerSecond } = options;
  const http = createHttp({
    addressPolicy: parseAddressPolicy(options.allowAddresses ?? [], options.allowPrivate ?? false),
    ...(options.stallTimeoutMs === undefined ? {} : { timeouts: timeoutsOf(options.stallTimeoutMs) }),
    ...(mostConnections === undefined ? {} : { maxConnectionsPerOrigin: mostConnections }),
    proxy: options.proxy,
    ca: options.ca,
  });
  return {
    http,
    health: new SourceHealth(),
    gates: new OriginGates(),
    leftovers: new Leftovers(),
    throttles: limitBytesPerSecond === undefined ? [] : [createThrottle(limitBytesPerSecond)],
    close: () => http.close(),
  };
}

const timeoutsOf = (stallMs: number) => ({
  stallMs,
  headersMs: Math.max(stallMs, 1000),
  lowSpeedMs: Math.max(stallMs, 1000),
});
