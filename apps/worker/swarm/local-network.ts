import type { RemoteInfo } from 'node:dgram';
import makeMdns, { type MulticastDNS } from 'multicast-dns';
import { messageOf } from '#core/error-facts';
import type { Logger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import {
  ALL_SERVICES,
  announcementOf,
  heardHosts,
  SERVICE,
  TTL_S,
  type MdnsRecord,
  type HostRecord,
} from './host-record.ts';
import { addressesOfHost } from './urls-of-server.ts';

export interface LocalNetworkOptions {
  /** The secret that the hosts of the site share: announcements without it are not heard. */
  readonly siteKey: string;
  /** IPv4 address of the interface; undefined: all interfaces. */
  readonly interfaceAddress: string | undefined;
  /** Called with the addresses of the other hosts, `http://address:port`, after each change. */
  readonly onPeers: (urls: readonly string[]) => void;
  readonly logger: Logger;
}

/** Hosts that start at the same time hear each other by the repetitions: a packet of the first may find no listener. */
const FIRST_WORDS_MS = [0, SECOND_MS, 3 * SECOND_MS];
const REPEAT_MS = 45 * SECOND_MS;
/** Answers to questions go to all, so the same answer is not needed again at once (RFC 6762 section 6). */
const LEAST_PAUSE_MS = SECOND_MS;
/** More hosts of one network are not remembered. */
const MOST_HOSTS = 1024;

interface Heard {
  readonly url: string;
  readonly untilMs: number;
}

/** Finds the other hosts of the site in the local network, and is found by them: multicast DNS and DNS-SD. */
export class LocalNetwork {
  readonly #options: LocalNetworkOptions;
  readonly #hosts = new Map<string, Heard>();
  readonly #timers: NodeJS.Timeout[] = [];
  #mdns: MulticastDNS | undefined;
  #own: HostRecord | undefined;
  #spokeAt = -Infinity;

  constructor(options: LocalNetworkOptions) {
    this.#options = options;
  }

  /** Announces this host, and asks for others. A network without multicast costs a warning. */
  start(own: HostRecord): void {
    const { interfaceAddress, logger } = this.#options;
    this.#own = own;
    const mdns = makeMdns(interfaceAddress === undefined ? {} : { interface: interfaceAddress, bind: '0.0.0.0' });
    this.#mdns = mdns;
    mdns.on('warning', (error: Error) => logger.debug({ reason: messageOf(error) }, 'a packet of mDNS is left out'));
    mdns.on('error', (error: Error) => {
      if (this.#mdns === undefined) return;
      logger.warn({ reason: messageOf(error) }, 'mDNS cannot be used: other hosts are not found in the local network');
      this.#close();
    });
    mdns.on('query', ({ questions = [] }) => this.#answer(questions));
    mdns.on('response', (packet, from) => this.#hear(heardHosts(packet, this.#options.siteKey, Date.now()), from));
    for (const afterMs of FIRST_WORDS_MS) this.#timers.push(setTimeout(() => this.#ask(), afterMs).unref());
    this.#timers.push(setInterval(() => this.#repeat(), REPEAT_MS).unref());
  }

  /** The store has something else now: said with the next announcement. */
  inventoryIs(inventory: string): void {
    if (this.#own !== undefined) this.#own = { ...this.#own, inventory };
  }

  /** Says that this host leaves. Safe twice and before start. */
  async stop(): Promise<void> {
    const mdns = this.#mdns;
    if (mdns === undefined) return;
    await new Promise<void>((resolve) => mdns.respond(this.#announcement(0), () => resolve()));
    this.#close();
  }

  #close(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
    this.#mdns?.destroy();
    this.#mdns = undefined;
  }

  #ask(): void {
    this.#mdns?.query([{ name: SERVICE, type: 'PTR' }]);
    this.#announce();
  }

  #repeat(): void {
    this.#announce();
    const now = performance.now();
    for (const [id, { untilMs }] of this.#hosts) if (untilMs <= now) this.#hosts.delete(id);
    this.#tell();
  }

  #announce(): void {
    this.#spokeAt = performance.now();
    this.#mdns?.respond(this.#announcement(TTL_S));
  }

  #announcement(ttlSeconds: number): MdnsRecord[] {
    const { siteKey, interfaceAddress } = this.#options;
    const addresses = interfaceAddress === undefined ? addressesOfHost(false) : [interfaceAddress];
    return announcementOf(this.#own!, siteKey, addresses, ttlSeconds, Date.now());
  }

  #answer(questions: readonly { readonly name: string }[]): void {
    const names = new Set(questions.map(({ name }) => name.toLowerCase()));
    if (names.has(ALL_SERVICES)) this.#mdns?.respond([{ name: ALL_SERVICES, type: 'PTR', ttl: TTL_S, data: SERVICE }]);
    const isForUs = names.has(SERVICE) || names.has(`${this.#own!.peerId}.${SERVICE}`.toLowerCase());
    if (isForUs && performance.now() - this.#spokeAt >= LEAST_PAUSE_MS) this.#announce();
  }

  #hear(heard: ReturnType<typeof heardHosts>, { address }: RemoteInfo): void {
    for (const { peerId, port, ttlSeconds } of heard) {
      if (peerId === this.#own?.peerId) continue;
      const isKnown = this.#hosts.delete(peerId);
      if (ttlSeconds === 0 || (!isKnown && this.#hosts.size >= MOST_HOSTS)) continue;
      const untilMs = performance.now() + Math.min(ttlSeconds, TTL_S) * SECOND_MS;
      this.#hosts.set(peerId, { url: `http://${address}:${port}`, untilMs });
    }
    if (heard.length > 0) this.#tell();
  }

  #tell(): void {
    this.#options.onPeers([...this.#hosts.values()].map(({ url }) => url).sort());
  }
}
