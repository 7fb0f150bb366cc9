import { WaitQueue } from '#core/async/wait-queue';
import type { AddressPolicy } from '../address/address-policy.ts';
import { Connection } from './connection.ts';
import type { ConnectOptions } from './connector.ts';
import { HttpFailure } from '../http-error.ts';
import type { ProxySettings } from './proxy.ts';
import { proxyFor, targetOf } from './proxy.ts';

/**
 * How far an address is trusted. A connection made in one mode is never used in another.
 * - `trusted` the operator typed exactly this host and port: any address
 * - `normal`  the address policy
 * - `strict`  the policy without its leave for private networks: a public source sent us there
 */
export type AddressMode = 'trusted' | 'normal' | 'strict';

export interface ConnectionPoolOptions extends Omit<ConnectOptions, 'policy' | 'buffers'> {
  readonly addressPolicy: AddressPolicy;
  readonly proxy: ProxySettings;
  readonly maxConnectionsPerOrigin: number;
}

interface OriginConnections {
  readonly idle: Connection[];
  /** Handed a free connection, or undefined with the right to make one. */
  readonly waiting: WaitQueue<Connection | undefined>;
  open: number;
}

/** Connections by origin, reused last-in first-out; above the limit, requests wait their turn. */
export class ConnectionPool {
  readonly #options: ConnectionPoolOptions;
  readonly #origins = new Map<string, OriginConnections>();
  #closed = false;

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
  }

  /** @param fresh true to refuse a connection that was used before */
  async acquire(url: URL, mode: AddressMode, signal: AbortSignal, fresh = false): Promise<Connection> {
    if (this.#closed) throw new HttpFailure('aborted', 'the HTTP client is closed');
    const key = keyOf(url, mode);
    const own = this.#connectionsOf(key);
    if (fresh) this.#dropIdle(key, own);
    const idle = own.idle.pop();
    if (idle) return idle;
    if (own.open < this.#options.maxConnectionsPerOrigin) return this.#make(url, mode, own);
    const handed = await own.waiting.wait(signal).catch((cause: unknown) => {
      throw new HttpFailure('aborted', 'stopped by us', { cause });
    });
    return handed ?? this.#make(url, mode, own);
  }

  /** Gives a connection back; a closed one only frees its place. */
  release(url: URL, mode: AddressMode, connection: Connection): void {
    const key = keyOf(url, mode);
    const own = this.#connectionsOf(key);
    if (connection.closed || this.#closed) {
      own.open -= 1;
      connection.destroy();
      if (!own.waiting.hand(undefined)) this.#forget(key, own);
    } else if (!own.waiting.hand(connection)) own.idle.push(connection);
  }

  close(): void {
    this.#closed = true;
    for (const own of this.#origins.values()) {
      for (const connection of own.idle.splice(0)) connection.destroy();
    }
    this.#origins.clear();
  }

  #make(url: URL, mode: AddressMode, own: OriginConnections): Connection {
    own.open += 1;
    const target = targetOf(url);
    const connection: Connection = new Connection(
      target,
      proxyFor(target, this.#options.proxy),
      { ...this.#options, policy: policyFor(mode, this.#options.addressPolicy) },
      () => this.#onIdleClose(keyOf(url, mode), connection),
    );
    return connection;
  }

  /** The server closed an idle connection. */
  #onIdleClose(key: string, connection: Connection): void {
    const own = this.#origins.get(key);
    const at = own?.idle.indexOf(connection) ?? -1;
    if (!own || at === -1) return;
    own.idle.splice(at, 1);
    own.open -= 1;
    connection.destroy();
    this.#forget(key, own);
  }

  #dropIdle(key: string, own: OriginConnections): void {
    for (const connection of [...own.idle]) this.#onIdleClose(key, connection);
    this.#origins.set(key, own);
  }

  #connectionsOf(key: string): OriginConnections {
    const known = this.#origins.get(key);
    if (known) return known;
    const made: OriginConnections = { idle: [], waiting: new WaitQueue(), open: 0 };
    this.#origins.set(key, made);
    return made;
  }

  #forget(key: string, own: OriginConnections): void {
    if (own.open === 0 && own.waiting.length === 0 && this.#origins.get(key) === own) this.#origins.delete(key);
  }
}

const keyOf = (url: URL, mode: AddressMode): string => `${mode} ${url.origin}`;

function policyFor(mode: AddressMode, policy: AddressPolicy): AddressPolicy | undefined {
  if (mode === 'trusted') return undefined;
  return mode === 'strict' ? { ...policy, allowPrivate: false } : policy;
}
