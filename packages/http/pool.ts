import { createSecureContext } from 'node:tls';
import { SECOND_MS } from '#core/units';
import type { AddressPolicy } from './address/address-policy.ts';
import { parseAddressPolicy } from './address/address-policy.ts';
import { ConnectionPool } from './connection/connection-pool.ts';
import type { ConnectTimeouts } from './connection/connector.ts';
import type { Resolve } from './address/guarded-lookup.ts';
import { resolveWithSystem } from './address/guarded-lookup.ts';
import type { ProgressTimeouts } from './connection/progress-watch.ts';
import type { ProxySettings } from './connection/proxy.ts';
import type { HttpRequest, HttpResponse, ResponseConsumer } from './request.ts';
import { sendRequest } from './request.ts';

/** Every bound is separate, and none limits the whole. */
export type HttpTimeouts = ConnectTimeouts & ProgressTimeouts;

export const DEFAULT_TIMEOUTS: HttpTimeouts = {
  lookupMs: 10 * SECOND_MS,
  connectMs: 10 * SECOND_MS,
  tlsMs: 10 * SECOND_MS,
  headersMs: 30 * SECOND_MS,
  stallMs: 30 * SECOND_MS,
  lowSpeedBytesPerSecond: 1024,
  lowSpeedMs: 30 * SECOND_MS,
};

export interface HttpOptions {
  /** Default: public addresses only. */
  readonly addressPolicy?: AddressPolicy | undefined;
  /** Default: none; the environment is not read here. */
  readonly proxy?: ProxySettings | undefined;
  readonly timeouts?: Partial<HttpTimeouts> | undefined;
  /** Requests beyond it wait; default 16. */
  readonly maxConnectionsPerOrigin?: number | undefined;
  /** Default `haulier`. */
  readonly userAgent?: string | undefined;
  /** Certificate authorities in PEM, instead of Node's own. */
  readonly ca?: string | readonly string[] | undefined;
  /** Default: the system's resolver. */
  readonly resolve?: Resolve | undefined;
  /** Wall clock in milliseconds, for dates in headers. */
  readonly now?: (() => number) | undefined;
}

/** How we speak HTTP to the outside: one per process, shared by everything that asks something. */
export interface Http {
  /**
   * Sends one request, follows redirects by the rules, and hands the last answer to the consumer.
   *
   * @returns the head of the answer, once its body ended as promised or is not wanted
   * @throws SourceError; what the consumer throws passes unchanged
   */
  request(request: HttpRequest, consumer: ResponseConsumer, signal: AbortSignal): Promise<HttpResponse>;
  /** Wall clock in milliseconds. */
  readonly now: () => number;
  /** Drops idle connections; requests under way end by their own signal. Safe twice. */
  close(): void;
}

export function createHttp(options: HttpOptions = {}): Http {
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const pool = new ConnectionPool({
    addressPolicy: options.addressPolicy ?? parseAddressPolicy([]),
    proxy: options.proxy ?? {},
    maxConnectionsPerOrigin: options.maxConnectionsPerOrigin ?? 16,
    resolve: options.resolve ?? resolveWithSystem,
    timeouts,
    secureContext: options.ca === undefined ? undefined : createSecureContext({ ca: [options.ca].flat() }),
  });
  const userAgent = options.userAgent ?? 'haulier';
  return {
    request: (request, consumer, signal) => sendRequest(pool, { timeouts, userAgent }, request, consumer, signal),
    now: options.now ?? Date.now,
    close: () => pool.close(),
  };
}
