import type { RemoteInfo } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { MulticastDNS, ResponsePacket } from 'multicast-dns';
import { messageOf } from '#core/error-facts';
import type { Logger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import { serverUrl } from '#os/addresses';
import {
  ALL_SERVICES,
  announcementOf,
  heardHosts,
  SERVICE,
  TTL_S,
  type HeardHost,
  type HostRecord,
  type MdnsRecord,
} from './host-record.ts';
import { addressOfSender, announcedAddresses, multicastSockets, type Reach } from './multicast-sockets.ts';

export interface LocalNetworkOptions extends Reach {
  /** The secret that the hosts of the site share: announcements without it are not heard. */
  readonly siteKey: string;
  /** Called with the addresses of the other hosts, `http://address:port`, after each change. */
  readonly onPeers: (urls: readonly string[]) => void;
  readonly logger: Logger;
}

/** Hosts that start at the same time hear each other by the repetitions: a packet of the first may find no listener. */
const FIRST_WORDS_MS = [SECOND_MS, 3 * SECOND_MS];
const REPEAT_MS = 45 * SECOND_MS;
/** As often as the library looks for interfaces of IPv4. */
const FOLLOW_MS = 5 * SECOND_MS;
const QUESTION = [{ name: SERVICE, type: 'PTR' as const }];
/** Answers to questions go to all, so the same answer is not needed again at once (RFC 6762 section 6). */
const LEAST_PAUSE_MS = SECOND_MS;
/** More hosts of one network are not remembered. */
const MOST_HOSTS = 1024;

interface Heard {
  readonly address: string;
  readonly port: number;
  readonly untilMs: number;
}

/** Finds the other hosts of the site in the local network, and is found by them: multicast DNS and DNS-SD. */
export class LocalNetwork {
  readonly #options: LocalNetworkOptions;
  readonly #hosts = new Map<string, Heard>();
  readonly #timers: NodeJS.Timeout[] = [];
  /** By interface; that of IPv4 has all of them. */
  readonly #sockets = new Map<string, MulticastDNS>();
  /** Interfaces whose socket could not be had at the last look: a warning was logged. */
  readonly #failed = new Set<string>();
  #own: HostRecord | undefined;
  #spokeAt = -Infinity;

  constructor(options: LocalNetworkOptions) {
    this.#options = options;
  }

  /** Announces this host, and asks for others. A network without multicast costs a warning. */
  start(own: HostRecord): void {
    this.#own = own;
    this.#followInterfaces();
    for (const afterMs of FIRST_WORDS_MS) this.#timers.push(setTimeout(() => this.#ask(), afterMs).unref());
    this.#timers.push(setInterval(() => this.#repeat(), REPEAT_MS).unref());
    this.#timers.push(setInterval(() => this.#followInterfaces(), FOLLOW_MS).unref());
  }

  /** Interfaces come and go, also after the start of a host. A socket that could not be had is tried again. */
  #followInterfaces(): void {
    const wanted = multicastSockets(this.#options);
    for (const name of this.#failed) if (!wanted.has(name)) this.#failed.delete(name);
    for (const [name, socket] of this.#sockets) {
      if (wanted.has(name)) continue;
      this.#sockets.delete(name);
      socket.destroy();
    }
    for (const [name, open] of wanted) {
      if (this.#sockets.has(name)) continue;
      const socket = open();
      this.#listen(name, socket);
      socket.query(QUESTION);
      socket.respond(this.#announcement(TTL_S));
    }
  }

  #listen(name: string, socket: MulticastDNS): void {
    const { logger } = this.#options;
    this.#sockets.set(name, socket);
    socket.on('warning', (error: Error) => logger.debug({ reason: messageOf(error) }, 'a packet of mDNS is left out'));
    socket.on('error', (error: Error) => {
      if (this.#sockets.get(name) !== socket) return;
      this.#sockets.delete(name);
      socket.destroy();
      if (this.#failed.has(name)) return;
      this.#failed.add(name);
      const facts = { reason: messageOf(error), interface: name };
      logger.warn(facts, 'mDNS cannot be used: other hosts are not found in the local network until it can be');
    });
    socket.on('ready', () => {
      if (this.#failed.delete(name)) logger.info({ interface: name }, 'mDNS can be used now');
    });
    socket.on('query', ({ questions = [] }) => this.#answer(questions));
    socket.on('response', (packet, from) => this.#hear(packet, from));
  }

  /** The store has something else now: said with the next announcement. */
  inventoryIs(inventory: string): void {
    if (this.#own !== undefined) this.#own = { ...this.#own, inventory };
  }

  /** Says that this host leaves. Safe twice and before start. */
  async stop(): Promise<void> {
    const leave = (socket: MulticastDNS): Promise<void> =>
      new Promise((resolve) => socket.respond(this.#announcement(0), () => resolve()));
    await Promise.all([...this.#sockets.values()].map(leave));
    this.#close();
  }

  #close(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
    for (const socket of this.#sockets.values()) socket.destroy();
    this.#sockets.clear();
  }

  #ask(): void {
    for (const socket of this.#sockets.values()) socket.query(QUESTION);
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
    this.#respond(this.#announcement(TTL_S));
  }

  #respond(records: MdnsRecord[]): void {
    for (const socket of this.#sockets.values()) socket.respond(records);
  }

  #announcement(ttlSeconds: number): MdnsRecord[] {
    const addresses = announcedAddresses(this.#options);
    return announcementOf(this.#own!, this.#options.siteKey, addresses, ttlSeconds, Date.now());
  }

  #answer(questions: readonly { readonly name: string }[]): void {
    const names = new Set(questions.map(({ name }) => name.toLowerCase()));
    if (names.has(ALL_SERVICES)) this.#respond([{ name: ALL_SERVICES, type: 'PTR', ttl: TTL_S, data: SERVICE }]);
    const isForUs = names.has(SERVICE) || names.has(`${this.#own!.peerId}.${SERVICE}`.toLowerCase());
    if (isForUs && performance.now() - this.#spokeAt >= LEAST_PAUSE_MS) this.#announce();
  }

  #hear(packet: ResponsePacket, from: RemoteInfo): void {
    const heard = heardHosts(packet, this.#options.siteKey, Date.now());
    for (const host of heard) if (host.peerId !== this.#own?.peerId) this.#note(host, from.address);
    if (heard.length > 0) this.#tell();
  }

  #note({ peerId, port, addresses, ttlSeconds }: HeardHost, from: string): void {
    const address = addressOfSender(from, addresses);
    const [known, now] = [this.#hosts.get(peerId), performance.now()];
    if (ttlSeconds === 0) this.#hosts.delete(peerId);
    if (ttlSeconds === 0 || address === undefined || (known === undefined && this.#hosts.size >= MOST_HOSTS)) return;
    // A host of both families has one address here, and keeps it.
    if (known !== undefined && known.untilMs > now && !isIPv6(known.address) && isIPv6(address)) return;
    this.#hosts.set(peerId, { address, port, untilMs: now + Math.min(ttlSeconds, TTL_S) * SECOND_MS });
  }

  #tell(): void {
    this.#options.onPeers([...this.#hosts.values()].map(({ address, port }) => serverUrl(address, port)).sort());
  }
}
