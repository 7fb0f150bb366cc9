import { createHash } from 'node:crypto';
import type { ByteRange } from '#core/bytes/byte-range';
import { silentLogger, type Logger } from '#core/logger';
import { pieceBytesOf } from '#core/swarm/piece-map';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import type { Source } from '#core/source';
import type { PeerFile } from '#sources/peer/peer-file';
import type { FileShare, HeldFile } from '#transfer/report/transfer-options';
import { FollowedPeers, type Peer } from './followed-peers.ts';
import { peerTurns } from './peer-turns.ts';
import type { PeerBook } from './peer-book.ts';

/** What a tracker says of one file. */
export interface PieceLeases {
  /**
   * `asking`: before its first answer. `known`: it says which host fetches which piece. `away`: it does not answer, or does not do
   * that for this host; then the hosts divide the file by themselves.
   */
  readonly state: 'asking' | 'known' | 'away';
  /** This host is to fetch the piece from the origin. */
  mayAsk(piece: number): boolean;
  /** This host may fetch the piece from the host at this address. */
  mayTake(url: string, piece: number): boolean;
  /** The host at this address is of another site. */
  isFar(url: string): boolean;
  /** This host is given nothing to fetch, because others cannot fetch from it: they are to bring every piece. */
  readonly getsNone: boolean;
  /** No other host takes part: this host may ask the origin for every piece. */
  readonly isAlone: boolean;
}

/** Something that a peer did. `wrong-bytes`: a leaf was not what its CID says; `absent`: it refused a piece that it says it has. */
export type PeerFault = 'wrong-bytes' | 'absent' | 'unreachable';

export interface HostShareOptions {
  /** Other hosts that may have the file, or fetch it; they may change meanwhile. */
  readonly book: PeerBook;
  /** @param asked resolves when all peers were asked once which pieces they have */
  readonly peerAt: (url: string, asked: () => Promise<void>) => Peer;
  /** Name of this host, as its own server gives it to others. */
  readonly peerId: string;
  readonly onBegin?: ((file: HeldFile) => void) | undefined;
  /** Undefined without a tracker. */
  readonly leases?: PieceLeases | undefined;
  /** @param piece that was wanted; 0 where none was */
  readonly onFault?: ((url: string, piece: number, fault: PeerFault) => void) | undefined;
  readonly logger?: Logger | undefined;
  /** Monotonic milliseconds. */
  readonly now?: (() => number) | undefined;
}

/** Twice the time of a piece at the measured rate, within these bounds, is the time in which a host is expected to get one. */
const LEAST_WAIT_MS = 3 * SECOND_MS;
const MOST_WAIT_MS = 30 * SECOND_MS;
/** A tracker is relied on for so long without a whole piece: other hosts may be slow, and an origin may be paused. */
const LED_PATIENCE_MS = 5 * MINUTE_MS;
/** Pieces of one request of a host without peers: requests that are under way when another host joins bring a second copy of what they ask for. */
const ALONE_PIECES = 4;
/** So long after a peer sent a wrong leaf that no other peer has, the origin is asked for it: the tracker may not know yet that the piece is missing. */
const REFUSED_MS = 3 * SECOND_MS;
/** What peers tell wakes the transfer at once, and what they tell within this after it wakes it once more. */
const WAKE_MS = 40;
/** How long a view of the peers counts: each claim asks for it many times. */
const VIEW_MS = 50;

/** The peers of one moment. */
interface View {
  readonly atMs: number;
  /** Have or fetch the file, and may be expected to give parts of it. */
  readonly live: readonly PeerFile[];
  /** Names of the hosts that divide what no host has yet, this one included; sorted. */
  readonly members: readonly string[];
  /** Live peers that have each piece. */
  readonly holders: readonly number[];
  /** No whole piece arrived for twice the expected time. */
  readonly isStuck: boolean;
}

/**
 * Divides a file between the hosts that fetch it, without a leader: a piece that no host has yet belongs to the host whose name and the
 * number of the piece have the greatest hash. This host asks the origin for its own pieces, and peers for the others. A host without
 * progress drops out, and its pieces fall to the others. When nothing arrives for twice the expected time, the origin is asked.
 */
export class HostShare implements FileShare {
  readonly turns = peerTurns({
    peers: () => this.#peers.files,
    isFar: (url) => this.#options.leases?.isFar(url) ?? false,
    holders: () => this.#viewed().holders,
    pieceOf: (leaf) => this.#pieceOf(leaf),
    // A time in which nothing arrives does not make the next request more patient.
    pieceMs: () => this.#pieceMs(this.#moved.leaves, this.#moved.atMs),
  });
  readonly #options: HostShareOptions;
  readonly #now: () => number;
  readonly #peers: FollowedPeers;
  readonly #owners = new Map<string, string>();
  /** What each peer gave, and when it gave the last of it. */
  readonly #given = new Map<PeerFile, { readonly bytes: number; readonly atMs: number; isIdle: boolean }>();
  /** Pieces that the tracker gives to other hosts, as it was found in this turn of the event loop: each of their leaves is asked for. */
  readonly #denied = new Set<number>();
  /** When a peer sent a wrong leaf first. */
  readonly #refusedAt = new Map<number, number>();
  #wake: () => void = () => undefined;
  /** Runs while the peers tell things that do not wake the transfer yet. */
  #quiet: NodeJS.Timeout | undefined;
  #isToldMore = false;
  #file: HeldFile | undefined;
  #pieceBytes = pieceBytesOf(0);
  #view: View | undefined;
  #beganAt = 0;
  #beganLeaves = 0;
  #doneLeaves = 0;
  /** When the last whole piece had arrived, and how many leaves there were then. */
  #moved = { atMs: 0, leaves: 0 };
  /** It is given nothing to fetch, and others did not bring it. */
  #helpsItself = false;

  constructor(options: HostShareOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    const { book, peerAt, onFault, logger = silentLogger } = options;
    const onAway = (url: string): void => onFault?.(url, 0, 'unreachable');
    this.#peers = new FollowedPeers({ book, peerAt, onAway, onMore: () => this.#told(), logger });
  }

  /** Begins to ask the peers, until `stop`. */
  start(): void {
    this.#peers.start();
  }

  /** Safe twice and before start. */
  stop(): void {
    clearTimeout(this.#quiet);
    this.#peers.stop();
  }

  listen(wake: () => void): void {
    this.#wake = wake;
  }

  /** The tracker has said something new. */
  wake(): void {
    this.#denied.clear();
    this.#wake();
  }

  /** A peer has more pieces than before, or is less busy. */
  #told(): void {
    this.#isToldMore = this.#quiet !== undefined;
    if (this.#isToldMore) return;
    this.#quiet = setTimeout(() => {
      this.#quiet = undefined;
      if (this.#isToldMore) this.#told();
    }, WAKE_MS);
    this.#wake();
  }

  get sources(): readonly Source[] {
    return this.#peers.sources;
  }

  begin(file: HeldFile): void {
    this.#file = file;
    this.#denied.clear();
    this.#pieceBytes = pieceBytesOf(file.table.sizeBytes);
    this.#beganAt = this.#now();
    this.#beganLeaves = this.#doneLeaves = countDone(file);
    this.#moved = { atMs: this.#beganAt, leaves: this.#doneLeaves };
    this.#options.onBegin?.(file);
    // Hosts that began since the first question are seen, and they see this one.
    this.#peers.askAll();
  }

  mayAsk({ start }: ByteRange, leaf: number): boolean {
    const piece = Math.floor(start / this.#pieceBytes);
    const isDenied = this.#denied.has(piece) && !this.#refusedAt.has(leaf);
    return !isDenied && this.#mayAskFor(piece, leaf);
  }

  #mayAskFor(piece: number, leaf: number): boolean {
    const file = this.#file;
    if (!this.#peers.hasAsked || file === undefined) return false;
    const view = this.#viewed();
    const { live } = view;
    // Peers that the tracker does not know are worth more than an origin.
    const isLed = this.#isLed && !(this.#options.leases!.isAlone && live.length > 0);
    if (!isLed && (live.length === 0 || view.isStuck)) return true;
    if (isLed && !this.#mayAskAsLed(piece, leaf)) return false;
    const mayTake = (url: string): boolean => this.#options.leases?.mayTake(url, piece) ?? true;
    const mayGive = ({ name, url }: PeerFile): boolean => !file.isRefused(name, leaf) && mayTake(url);
    const isHeld = live.some((peer) => peer.map?.has(piece) === true && mayGive(peer));
    return !isHeld && (isLed || this.#isOwn(piece, view, mayGive));
  }

  #mayAskAsLed(piece: number, leaf: number): boolean {
    if (this.#options.leases!.mayAsk(piece)) return true;
    if (this.#denied.size === 0) queueMicrotask(() => this.#denied.clear());
    this.#denied.add(piece);
    return this.#isLongRefused(leaf);
  }

  /** Without a tracker the piece falls to this host: by its name, or because the host that it falls to sent wrong bytes. */
  #isOwn(piece: number, { live, members }: View, mayGive: (peer: PeerFile) => boolean): boolean {
    const owner = this.#ownerOf(piece, members);
    const other = live.find(({ id }) => id === owner);
    return owner === this.#options.peerId || (other !== undefined && !mayGive(other));
  }

  refused(source: string, leaf: number): void {
    const peer = this.#peers.files.find(({ name }) => name === source);
    if (peer === undefined) return;
    if (!this.#refusedAt.has(leaf)) this.#refusedAt.set(leaf, this.#now());
    const piece = this.#pieceOf(leaf);
    this.#options.onFault?.(peer.url, piece, 'wrong-bytes');
  }

  get spanBytes(): number | undefined {
    if ((this.#peers.files.length === 0 && !this.#isLed) || this.#file === undefined) return undefined;
    return this.#isLed && this.#options.leases!.isAlone ? ALONE_PIECES * this.#pieceBytes : this.#pieceBytes;
  }

  get mayStillCome(): boolean {
    if (!this.#peers.hasAsked || this.#peers.hasJoining || this.#options.leases?.state === 'asking') return true;
    if (this.#file === undefined) return false;
    const hasPeers = this.#viewed().live.length > 0;
    return this.#isLed ? hasPeers || this.#file.originPauseMs() !== undefined : hasPeers && !this.#isStuck(3);
  }

  /** A tracker says which host fetches what, or is about to. */
  get #isLed(): boolean {
    const { leases } = this.#options;
    if (leases === undefined || leases.state === 'away') return false;
    this.#helpsItself = leases.getsNone && (this.#helpsItself || this.#isStuck(2));
    return !this.#helpsItself && this.#now() - this.#moved.atMs <= LED_PATIENCE_MS;
  }

  #isLongRefused(leaf: number): boolean {
    return this.#now() - (this.#refusedAt.get(leaf) ?? Infinity) > REFUSED_MS;
  }

  /** No whole piece arrived for so many times the expected time. */
  #isStuck(times: number): boolean {
    return this.#now() - this.#moved.atMs > times * this.#waitMs;
  }

  get #waitMs(): number {
    return Math.min(MOST_WAIT_MS, Math.max(LEAST_WAIT_MS, 2 * (this.#pieceMs(this.#doneLeaves, this.#now()) ?? 0)));
  }

  /** Milliseconds of one piece on average, while the number of leaves rose to this one. */
  #pieceMs(leaves: number, untilMs: number): number | undefined {
    const pieces = this.#bytesOf(leaves - this.#beganLeaves) / this.#pieceBytes;
    return pieces > 0 ? (untilMs - this.#beganAt) / pieces : undefined;
  }

  #pieceOf = (leaf: number): number => Math.floor((this.#file?.table.starts[leaf] ?? 0) / this.#pieceBytes);

  #bytesOf(leaves: number): number {
    const { sizeBytes = 0, count = 1 } = this.#file?.table ?? {};
    return (leaves * sizeBytes) / count;
  }

  #viewed(): View {
    const now = this.#now();
    if (this.#view !== undefined && now - this.#view.atMs < VIEW_MS) return this.#view;
    this.#note(now);
    const { peerId } = this.#options;
    const known = new Map<string, PeerFile>();
    // Two addresses of one host count once.
    for (const peer of this.#peers.files) if (this.#isLive(peer, now)) known.set(peer.id!, known.get(peer.id!) ?? peer);
    const growing = [...known].flatMap(([id, { map }]) => (map!.isComplete ? [] : [id]));
    const members = [...growing, peerId].sort();
    if (members.join() !== this.#view?.members.join()) this.#owners.clear();
    const live = [...known.values()];
    this.#view = { atMs: now, live, members, holders: holdersOf(live), isStuck: this.#isStuck(2) };
    return this.#view;
  }

  #isLive(peer: PeerFile, now: number): boolean {
    const { map, id, name, grewAt } = peer;
    const isOther = id !== undefined && id !== this.#options.peerId && map?.pieceBytes === this.#pieceBytes;
    if (!isOther || this.#file?.bytesFrom(name) === undefined || this.#isIdle(peer, now)) return false;
    return map.isComplete || now - grewAt <= this.#waitMs;
  }

  /** A peer that gave nothing while nothing arrived at all is not counted on until it gives something. */
  #isIdle(peer: PeerFile, now: number): boolean {
    const bytes = this.#file?.bytesFrom(peer.name) ?? 0;
    const before = this.#given.get(peer);
    if (before === undefined || bytes > before.bytes) {
      this.#given.set(peer, { bytes, atMs: now, isIdle: false });
      return false;
    }
    before.isIdle ||= this.#isStuck(2) && now - before.atMs > 2 * this.#waitMs;
    return before.isIdle;
  }

  #note(now: number): void {
    if (this.#file === undefined) return;
    this.#doneLeaves = countDone(this.#file);
    const pieces = Math.floor(this.#bytesOf(this.#doneLeaves - this.#moved.leaves) / this.#pieceBytes);
    for (let piece = 0; piece < pieces; piece += 1) this.turns.arrived(now);
    if (pieces > 0 || this.#doneLeaves < this.#moved.leaves) this.#moved = { atMs: now, leaves: this.#doneLeaves };
  }

  #ownerOf(piece: number, members: readonly string[]): string {
    const key = String(piece);
    const known = this.#owners.get(key);
    if (known !== undefined) return known;
    let owner = { id: '', weight: -1 };
    for (const id of members) {
      const weight = createHash('sha256')
        .update(`${id} ${this.#file!.table.rootCid} ${piece}`)
        .digest()
        .readUIntBE(0, 6);
      if (weight > owner.weight) owner = { id, weight };
    }
    this.#owners.set(key, owner.id);
    return owner.id;
  }
}

/** @returns how many of the peers have each piece */
function holdersOf(peers: readonly PeerFile[]): number[] {
  const { count = 0 } = peers[0]?.map ?? {};
  return Array.from({ length: count }, (_, piece) => peers.filter(({ map }) => map?.has(piece) === true).length);
}

function countDone({ table, isDone }: HeldFile): number {
  let count = 0;
  for (let leaf = 0; leaf < table.count; leaf += 1) if (isDone(leaf)) count += 1;
  return count;
}
