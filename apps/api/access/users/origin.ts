import type { FastifyRequest } from 'fastify';
import { RequestError } from '../../server/errors/request-error.ts';

const READING = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Refuses what a page of another site made a browser send: a browser adds the cookie by itself. A program that sends neither header is
 * no browser, and has no cookie unless it was given one. An upgrade to a WebSocket counts as a change, because its answer can be read
 * by every site.
 *
 * @throws RequestError `cross-site`
 * @see https://www.w3.org/TR/fetch-metadata/ and RFC 6454 section 7
 */
export function refuseOtherSites({ method, headers }: FastifyRequest): void {
  if (READING.includes(method) && headers.upgrade === undefined) return;
  const site = headers['sec-fetch-site'];
  const isOurs =
    site === undefined ? isOwnOrigin(headers.origin, headers.host) : site === 'same-origin' || site === 'none';
  if (!isOurs)
    throw new RequestError('cross-site', 'a page of another site sent this; only pages of this API may use a session');
}

/** Browsers before Sec-Fetch-Site, and those that reach the API without TLS, send only the origin. */
function isOwnOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** How a browser reaches the API. */
interface Reached {
  /** Over TLS, which a proxy before the API ends. */
  readonly isSecure: boolean;
  /** By a name of the machine on which the browser runs. */
  readonly isLoopback: boolean;
  /** Empty for the default one. */
  readonly port: string;
}

/** Pages of a browser send an origin, and a proxy that ends TLS adds the protocol; neither decides about access. */
export function reachedBy({ headers }: FastifyRequest): Reached {
  const url = `http://${headers.host ?? ''}`;
  const { hostname, port } = URL.canParse(url) ? new URL(url) : { hostname: '', port: '' };
  const forwarded = String(headers['x-forwarded-proto'] ?? '').split(',', 1)[0]!;
  const isSecure = headers.origin?.startsWith('https://') ?? forwarded.trim().toLowerCase() === 'https';
  const isLoopback = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  return { isSecure, isLoopback, port };
}
