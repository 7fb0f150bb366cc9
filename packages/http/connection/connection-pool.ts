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

interface Lane {
  readonly idle: Connection[];
  /** Handed a free connection, or undefined with the right to make one. */
  readonly waiting: WaitQueue<Connection | undefined>;
  open: number;
}

/** Connections by origin, reused last-in first-out; above the limit, requests wait their turn. */
export class ConnectionPool {
  readonly #options: ConnectionPoolOptions;
  readonly #lanes = new Map<string, Lane>();
  #closed = false;

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
  }

  /** @param fresh true to refuse a connection that was used before */
  async acquire(url: URL, mode: AddressMode, signal: AbortSignal, fresh = false): Promise<Connection> {
    if (this.#closed) throw new HttpFailure('aborted', 'the HTTP client is closed');
    const key = keyOf(url, mode);
    const lane = this.#lane(key);
    if (fresh) this.#dropIdle(key, lane);
    const idle = lane.idle.pop();
    if (idle) return idle;
    if (lane.open < this.#options.maxConnectionsPerOrigin) return this.#make(url, mode, lane);
    const handed = await lane.waiting.wait(signal).catch((cause: unknown) => {
      throw new HttpFailure('aborted', 'stopped by us', { cause });
    });
    return handed ?? this.#make(url, mode, lane);
  }

  /** Gives a connection back; a closed one only frees its place. */
  release(url: URL, mode: AddressMode, connection: Connection): void {
    const key = keyOf(url, mode);
    const lane = this.#lane(key);
    if (connection.closed || this.#closed) {
      lane.open -= 1;
      connection.destroy();
      if (!lane.waiting.hand(undefined)) this.#forget(key, lane);
    } else if (!lane.waiting.hand(connection)) lane.idle.push(connection);
  }

  close(): void {
    this.#closed = true;
    for (const lane of this.#lanes.values()) {
      for (const connection of lane.idle.splice(0)) connection.destroy();
    }
    this.#lanes.clear();
  }

  #make(url: URL, mode: AddressMode, lane: Lane): Connection {
    lane.open += 1;
    const target = targetOf(url);
    const connection: Connection = new Connection(
      target,
      proxyFor(target, this.#options.proxy),
      { ...this.#options, policy: policyFor(mode, this.#options.addressPolicy) },
      () => this.#onIdleClose(keyOf(url, mode), connection),
    );
    return connection;
  }

  /** The server closed a connection that nobody uses. */
  #onIdleClose(key: string, connection: Connection): void {
    const lane = this.#lanes.get(key);
    const at = lane?.idle.indexOf(connection) ?? -1;
    if (!lane || at === -1) return;
    lane.idle.splice(at, 1);
    lane.open -= 1;
    connection.destroy();
    this.#forget(key, lane);
  }

  #dropIdle(key: string, lane: Lane): void {
    for (const connection of [...lane.idle]) this.#onIdleClose(key, connection);
    this.#lanes.set(key, lane);
  }

  #lane(key: string): Lane {
    const known = this.#lanes.get(key);
    if (known) return known;
    const made: Lane = { idle: [], waiting: new WaitQueue(), open: 0 };
    this.#lanes.set(key, made);
    return made;
  }

  #forget(key: string, lane: Lane): void {
    if (lane.open === 0 && lane.waiting.length === 0 && this.#lanes.get(key) === lane) this.#lanes.delete(key);
  }
}

const keyOf = (url: URL, mode: AddressMode): string => `${mode} ${url.origin}`;

function policyFor(mode: AddressMode, policy: AddressPolicy): AddressPolicy | undefined {
  if (mode === 'trusted') return undefined;
  return mode === 'strict' ? { ...policy, allowPrivate: false } : policy;
}
