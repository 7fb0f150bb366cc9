import type { Socket } from 'node:net';
import Client from 'undici/lib/dispatcher/client.js';
import { AnswerHead } from './answer-head.ts';
import type { ConnectOptions, Target } from './connector.ts';
import { openSocket, secureOver } from './connector.ts';
import { guardEnd } from './guarded-end.ts';
import { HttpFailure } from '../http-error.ts';
import { classifyIp, parseIp } from '../address/ip-address.ts';
import { openTunnel, refuseLiteral, targetOf } from './proxy.ts';
import { prepareHeads } from './prepared-heads.ts';
import { ReadBuffers } from './read-buffers.ts';
import { basicAuthorization } from '../user-info.ts';

const MAX_HEADER_BYTES = 32 * 1024;
const IDLE_MS = 30_000;

/**
 * One HTTP/1.1 connection at a time to one server, used by one request at a time. An undici Client of its own for
 * each connection, not undici's Pool, because the memory the socket reads into belongs to its consumer.
 */
export class Connection {
  readonly client: Client;
  readonly buffers = new ReadBuffers();
  readonly head = new AnswerHead();
  /** Set where requests go to a proxy in absolute form (RFC 9112 section 3.2.2). */
  readonly viaProxy: { readonly authorization: string | undefined } | undefined;
  /** How many requests it has carried. */
  requests = 0;
  /** False once it is known that the other end is not a public address; a proxy's other end is never known. */
  isPublic = true;
  #tellEnd: () => void = () => undefined;
  readonly #closing = new AbortController();

  constructor(target: Target, proxy: URL | undefined, options: ConnectOptions, onIdleClose: () => void) {
    const absolute = proxy !== undefined && !target.secure;
    const first = absolute ? proxy.origin : originOf(target);
    this.viaProxy = absolute ? { authorization: basicAuthorization(proxy) } : undefined;
    this.client = new Client(first, {
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAliveTimeout: IDLE_MS,
      connect: (_connect, callback) => {
        this.#open(target, proxy, options).then(
          (socket) => {
            prepareHeads(socket, this.head);
            const { buffers } = this;
            this.#tellEnd = guardEnd(socket, { isHeld: () => buffers.holding, isInBody: () => buffers.inBody });
            if (!proxy) this.isPublic = isPublicAddress(socket.remoteAddress ?? '');
            callback(null, socket);
          },
          (error: Error) => callback(error, null),
        );
      },
    });
    this.client.on('disconnect', onIdleClose);
  }

  async #open(target: Target, proxy: URL | undefined, options: ConnectOptions): Promise<Socket> {
    const { signal } = this.#closing;
    if (!proxy) return openSocket(target, { ...options, buffers: this.buffers }, signal);
    refuseLiteral(target, options.policy);
    if (!target.secure) {
      return openSocket(targetOf(proxy), { ...options, policy: undefined, buffers: this.buffers }, signal);
    }
    const tunnel = await openTunnel(proxy, target, options, signal);
    return secureOver(tunnel, target, options, signal);
  }

  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** The consumer is done with the chunk it held: its memory may be used again. `resume` starts the parser. */
  release(resume: () => void): void {
    this.buffers.holding = false;
    resume();
    this.#tellEnd();
  }

  /** Drops the connection at once, whatever it is doing. */
  destroy(): void {
    if (this.closed) return;
    const reason = new HttpFailure('aborted', 'the connection was closed');
    this.#closing.abort(reason);
    this.client.destroy(reason, () => undefined);
  }
}

function isPublicAddress(address: string): boolean {
  const bytes = parseIp(address);
  return bytes === undefined || classifyIp(bytes).class === 'public';
}

function originOf(target: Target): string {
  const host = target.host.includes(':') ? `[${target.host}]` : target.host;
  return `${target.secure ? 'https' : 'http'}://${host}:${target.port}`;
}
