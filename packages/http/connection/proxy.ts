import type { Socket } from 'node:net';
import Client from 'undici/lib/dispatcher/client.js';
import type { AddressPolicy } from '../address/address-policy.ts';
import { refusalOf } from '../address/address-policy.ts';
import type { ConnectOptions, Target } from './connector.ts';
import { openSocket } from './connector.ts';
import { isLoopbackName } from '../address/guarded-lookup.ts';
import { HttpFailure } from '../http-error.ts';
import { inBlock, parseIp } from '../address/ip-address.ts';
import { basicAuthorization } from '../user-info.ts';

/** The values of HTTPS_PROXY, HTTP_PROXY and NO_PROXY; main.ts reads them. */
export interface ProxySettings {
  readonly http?: string | undefined;
  readonly https?: string | undefined;
  /** Comma-separated: `*`, `host`, `.suffix`, `host:port`, an address or a CIDR block. */
  readonly noProxy?: string | undefined;
}

/** @returns the proxy for a target; undefined to go straight. Pure. */
export function proxyFor(target: Target, settings: ProxySettings): URL | undefined {
  const proxy = target.secure ? settings.https : settings.http;
  if (proxy === undefined || proxy === '') return undefined;
  const exempt = (settings.noProxy ?? '').split(',').some((entry) => exempts(entry.trim().toLowerCase(), target));
  return exempt ? undefined : new URL(proxy.includes('://') ? proxy : `http://${proxy}`);
}

function exempts(entry: string, target: Target): boolean {
  if (entry === '') return false;
  if (entry === '*') return true;
  const [block, bits] = entry.split('/');
  const address = parseIp(target.host);
  const network = parseIp(block!);
  if (address && network) return inBlock(address, network, bits === undefined ? network.length * 8 : Number(bits));
  const [, name, port] = /^\*?\.?(.+?)(?::(\d+))?$/.exec(entry) ?? [];
  if (port !== undefined && Number(port) !== target.port) return false;
  return target.host === name || target.host.endsWith(`.${name}`);
}

/** The proxy resolves names itself, so only a literal address, and a name that is always loopback, can be judged here. */
export function refuseLiteral({ host, port }: Target, policy: AddressPolicy | undefined): void {
  const address = isLoopbackName(host) ? '127.0.0.1' : host;
  if (policy === undefined || !parseIp(address)) return;
  const refusal = refusalOf(policy, { host, port, address });
  if (refusal !== undefined) throw new HttpFailure('address-refused', refusal);
}

export const targetOf = (url: URL): Target => ({
  secure: url.protocol === 'https:',
  host: url.hostname.replace(/^\[|\]$/g, ''),
  port: portOf(url),
});

export const portOf = (url: URL): number =>
  url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);

/**
 * Asks a proxy for a tunnel (RFC 9110 section 9.3.6).
 *
 * @returns the raw connection to the target, nothing of it read yet
 * @throws HttpFailure `unreachable` when the proxy refuses
 */
export async function openTunnel(
  proxy: URL,
  target: Target,
  options: ConnectOptions,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = await openSocket(targetOf(proxy), { ...options, policy: undefined, buffers: undefined }, signal);
  const bound = AbortSignal.any([signal, AbortSignal.timeout(options.timeouts.connectMs)]);
  const onAbort = (): void => void socket.destroy(bound.reason as Error);
  bound.addEventListener('abort', onAbort, { once: true });
  try {
    bound.throwIfAborted();
    const status = await askForTunnel(socket, proxy, target);
    if (status >= 200 && status < 300) return socket;
    throw new HttpFailure('unreachable', `the proxy ${proxy.host} answered ${status} to CONNECT`);
  } catch (error) {
    socket.destroy();
    if (signal.aborted) throw signal.reason;
    throw error instanceof HttpFailure
      ? error
      : new HttpFailure('unreachable', `no tunnel through the proxy ${proxy.host}`, { cause: error });
  } finally {
    bound.removeEventListener('abort', onAbort);
  }
}

/** @returns the status of the answer; undici gives the socket up after its head, whatever the status */
function askForTunnel(socket: Socket, proxy: URL, target: Target): Promise<number> {
  const client = new Client(proxy.origin, {
    headersTimeout: 0,
    maxHeaderSize: MAX_REPLY_BYTES,
    // Not at once: undici begins a request only after `connect` has returned.
    connect: (_connect, callback) => setImmediate(callback, null, socket),
  });
  const authority = `${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`;
  const authorization = basicAuthorization(proxy);
  const headers = {
    host: authority,
    ...(authorization === undefined ? {} : { 'proxy-authorization': authorization }),
  };
  return new Promise((resolve, reject) => {
    client.dispatch(
      { method: 'CONNECT', path: authority, headers },
      {
        onRequestStart: () => undefined,
        onRequestUpgrade: (_controller, status) => resolve(status),
        onResponseError: (_controller, error) => reject(error),
      },
    );
  });
}

const MAX_REPLY_BYTES = 16 * 1024;
