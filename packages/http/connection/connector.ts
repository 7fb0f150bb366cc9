import type { LookupAddress } from 'node:dns';
import type { Socket, TcpNetConnectOpts } from 'node:net';
import { connect as connectTcp, isIP } from 'node:net';
import type { ConnectionOptions, SecureContext } from 'node:tls';
import { connect as connectTls } from 'node:tls';
import type { AddressPolicy } from '../address/address-policy.ts';
import { refusalOf } from '../address/address-policy.ts';
import type { Resolve } from '../address/guarded-lookup.ts';
import { firstConnected } from '../address/first-connected.ts';
import { allowedAddresses } from '../address/guarded-lookup.ts';
import { HttpFailure } from '../http-error.ts';
import type { ReadBuffers } from './read-buffers.ts';

/** One server to connect to. */
export interface Target {
  readonly secure: boolean;
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Bounds of the three phases of a connection; milliseconds. */
export interface ConnectTimeouts {
  readonly lookupMs: number;
  readonly connectMs: number;
  readonly tlsMs: number;
}

export interface ConnectOptions {
  /** Undefined where the operator typed exactly this host and port. */
  readonly policy: AddressPolicy | undefined;
  readonly resolve: Resolve;
  readonly timeouts: ConnectTimeouts;
  /** Certificate authorities; undefined for Node's own. Made once, because reading hundreds of them takes longer than a handshake. */
  readonly secureContext?: SecureContext | undefined;
  /** Reused memory for what the socket receives; undefined for Node's own. */
  readonly buffers?: ReadBuffers | undefined;
}

/**
 * Opens a TCP or TLS connection to an address the policy allows, each phase under its own timer.
 *
 * @param signal ends the attempt; a connection that is already open is the caller's to close
 * @throws HttpFailure or the socket's own error
 */
export async function openSocket(target: Target, options: ConnectOptions, signal: AbortSignal): Promise<Socket> {
  const { host, port } = target;
  const { timeouts, policy } = options;
  const addresses = await allowedAddresses(host, port, policy, options.resolve, timeouts.lookupMs);
  signal.throwIfAborted();
  const start = (address: LookupAddress): Socket => startSocket(target, address, options);
  const what = `no connection to ${host}:${port}`;
  const socket = await firstConnected({ addresses, start, timeoutMs: timeouts.connectMs, what }, signal);
  const refusal = policy && refusalOf(policy, { host, port, address: socket.remoteAddress ?? '' });
  if (refusal !== undefined) {
    socket.destroy();
    throw new HttpFailure('address-refused', refusal);
  }
  if (target.secure) await within(socket, 'secureConnect', timeouts.tlsMs, `no TLS with ${host}:${port}`, signal);
  return socket;
}

function startSocket(target: Target, { address }: LookupAddress, options: ConnectOptions): Socket {
  const holder: { socket?: Socket } = {};
  const onread = options.buffers?.onreadFor(() => holder.socket!);
  const tcp = {
    host: address,
    port: target.port,
    // undici closes its side itself; a socket that did so at once would be gone while its last bytes are still held.
    allowHalfOpen: true,
    ...(onread && { onread }),
  } as TcpNetConnectOpts;
  holder.socket = target.secure
    ? connectTls({ ...tcp, ...tlsOptions(target, options.secureContext) } as ConnectionOptions)
    : connectTcp(tcp);
  const { socket } = holder;
  // The next owner listens only after a turn of the microtask queue; nothing may escape in between.
  socket.on('error', () => undefined);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 30_000);
  return socket;
}

/** TLS to the target over a connection that exists already: a proxy's tunnel. */
export async function secureOver(
  tunnel: Socket,
  target: Target,
  options: ConnectOptions,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = connectTls({ socket: tunnel, ...tlsOptions(target, options.secureContext) });
  socket.on('error', () => undefined);
  await within(socket, 'secureConnect', options.timeouts.tlsMs, `no TLS with ${target.host}:${target.port}`, signal);
  return socket;
}

const tlsOptions = (target: Target, secureContext: SecureContext | undefined): ConnectionOptions => ({
  ALPNProtocols: ['http/1.1'],
  ...(isIP(target.host) === 0 && { servername: target.host }),
  ...(secureContext !== undefined && { secureContext }),
});

/** Waits for one event of a socket; destroys the socket when it fails, is late or is not wanted any more. */
function within(socket: Socket, event: string, timeoutMs: number, what: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      socket.off(event, onEvent).off('error', settle).off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      if (error === undefined) return resolve();
      socket.destroy();
      reject(error);
    };
    const onEvent = (): void => settle();
    const onClose = (): void => settle(new HttpFailure('unreachable', `${what}: closed`));
    const onAbort = (): void => settle(signal.reason as Error);
    const timer = setTimeout(() => settle(new HttpFailure('unreachable', `${what} in ${timeoutMs} ms`)), timeoutMs);
    socket.once(event, onEvent).once('error', settle).once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
