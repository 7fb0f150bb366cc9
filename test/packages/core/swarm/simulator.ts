import { choosePieces } from '#core/swarm/choose-pieces';
import { FIRST_SLOTS, nextSlots, shareOfSlots } from '#core/swarm/slot-trial';
import { Bits } from './bits.ts';

/** Numbers from 0 up to 1 that are the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export interface Simulated {
  /** Time of the last host, in times that the origin takes to send the file once. */
  readonly times: number;
  readonly originCopies: number;
}

/** Uploads and downloads of a host at once. */
const SLOTS = 2;
/** Hosts that a host knows at a time, as many as an announce tells it. */
const NEIGHBOURS = 24;
/** Parts of the time in which the origin sends one piece. */
const STEPS = 4;
/** How often what the links have left is divided again. */
const SHARING_ROUNDS = 3;
const NEARLY = 1 - 1e-9;

interface Host {
  readonly has: Bits;
  readonly fetching: Bits;
  neighbours: readonly Host[];
  uploads: number;
  leases: number;
}

interface Sending {
  readonly piece: number;
  readonly to: Host;
  /** Undefined: the origin. */
  readonly by: Host | undefined;
  readonly beganAt: number;
  /** Part of the piece that has arrived. */
  done: number;
  /** Of a whole link. */
  rate: number;
}

/**
 * A fleet with equal links that fetches one file by the leases of the tracker's own functions. Transfers at the same time share the link of the sender and
 * that of the receiver. Hosts take from each other the piece that the fewest hosts have. There are no round trips.
 */
export class SwarmSimulator {
  readonly #random: () => number;
  readonly #pieces: number;
  readonly #hosts: readonly Host[];
  readonly #holders: number[];
  readonly #leases = new Set<number>();
  #slots = FIRST_SLOTS;
  #round = { beganAt: 0, leases: 0, totalMs: 0 };
  #sendings: Sending[] = [];
  #originSends = 0;
  #step = 0;

  constructor(hosts: number, pieces: number, seed: number) {
    this.#random = seeded(seed);
    this.#pieces = pieces;
    this.#holders = Array.from({ length: pieces }, () => 0);
    this.#hosts = Array.from({ length: hosts }, () => ({
      ...{ has: new Bits(pieces), fetching: new Bits(pieces), neighbours: [], uploads: 0, leases: 0 },
    }));
    for (const host of this.#hosts) host.neighbours = this.#neighboursOf(host);
  }

  run(): Simulated {
    while (this.#hosts.some(({ has }) => has.size < this.#pieces)) {
      for (const host of this.#shuffled(this.#hosts)) this.#begin(host);
      this.#move();
      this.#step += 1;
      if (this.#step > 100 * STEPS * this.#pieces) throw new Error('the swarm does not end');
    }
    return { times: this.#step / STEPS / this.#pieces, originCopies: this.#originSends / this.#pieces };
  }

  #neighboursOf(host: Host): readonly Host[] {
    if (this.#hosts.length <= NEIGHBOURS) return this.#hosts.filter((other) => other !== host);
    return Array.from({ length: NEIGHBOURS }, () => this.#hosts[Math.floor(this.#random() * this.#hosts.length)]!);
  }

  #begin(host: Host): void {
    while (host.fetching.size < SLOTS && (this.#askOrigin(host) || this.#askPeer(host)));
  }

  /** @returns whether a piece was begun */
  #askOrigin(host: Host): boolean {
    const { slots } = this.#slots;
    if (this.#leases.size >= slots || host.leases >= shareOfSlots(slots, this.#hosts.length)) return false;
    const counts = { holders: this.#holders, siteHolders: this.#holders, originLeases: this.#leases };
    const mine = (piece: number): boolean => host.has.at(piece) || host.fetching.at(piece);
    const [choice] = choosePieces(mine, { ...counts, siteLeases: new Set() }, 1, this.#random);
    if (choice === undefined) return false;
    this.#leases.add(choice.piece);
    host.leases += 1;
    this.#originSends += 1;
    this.#send(choice.piece, host, undefined);
    return true;
  }

  /** @returns whether a piece was begun */
  #askPeer(host: Host): boolean {
    let best: { readonly piece: number; readonly by: Host } | undefined;
    let fewest = Infinity;
    for (const by of host.neighbours) {
      if (by.uploads >= SLOTS) continue;
      by.has.forEachWithout(host.has, host.fetching, (piece) => {
        const count = this.#holders[piece]! + this.#random();
        if (count < fewest) [best, fewest] = [{ piece, by }, count];
      });
    }
    if (best === undefined) return false;
    best.by.uploads += 1;
    this.#send(best.piece, host, best.by);
    return true;
  }

  #send(piece: number, to: Host, by: Host | undefined): void {
    to.fetching.set(piece);
    this.#sendings.push({ piece, to, by, beganAt: this.#step, done: 0, rate: 0 });
  }

  #move(): void {
    for (const sending of this.#sendings) sending.rate = 0;
    for (let round = 0; round < SHARING_ROUNDS; round += 1) this.#share();
    for (const sending of this.#sendings) sending.done += sending.rate / STEPS;
    const arrived = this.#sendings.filter(({ done }) => done > NEARLY);
    this.#sendings = this.#sendings.filter(({ done }) => done <= NEARLY);
    for (const sending of arrived) this.#arrive(sending);
  }

  /** Gives each transfer an equal part of what is left of both links. */
  #share(): void {
    const [up, down] = [new Map<Host | undefined, number>(), new Map<Host, number>()];
    for (const { to, by, rate } of this.#sendings) {
      up.set(by, (up.get(by) ?? 1) - rate);
      down.set(to, (down.get(to) ?? 1) - rate);
    }
    for (const sending of this.#sendings) {
      const { to, by } = sending;
      const fair = Math.min(down.get(to)! / to.fetching.size, up.get(by)! / (by?.uploads ?? this.#leases.size));
      sending.rate += Math.max(0, fair);
    }
  }

  #arrive({ piece, to, by, beganAt }: Sending): void {
    to.has.set(piece);
    to.fetching.clear(piece);
    this.#holders[piece]! += 1;
    if (by === undefined) this.#endLease(piece, to, beganAt);
    else by.uploads -= 1;
  }

  #endLease(piece: number, host: Host, beganAt: number): void {
    this.#leases.delete(piece);
    host.leases -= 1;
    if (beganAt < this.#round.beganAt) return;
    this.#round.leases += 1;
    this.#round.totalMs += this.#step + 1 - beganAt;
    if (this.#round.leases < this.#slots.slots) return;
    this.#slots = nextSlots(this.#slots, this.#round.leases, this.#round.totalMs);
    this.#round = { beganAt: this.#step + 1, leases: 0, totalMs: 0 };
  }

  #shuffled(hosts: readonly Host[]): readonly Host[] {
    const order = [...hosts];
    for (let last = order.length - 1; last > 0; last -= 1) {
      const other = Math.floor(this.#random() * (last + 1));
      [order[last], order[other]] = [order[other]!, order[last]!];
    }
    return order;
  }
}
