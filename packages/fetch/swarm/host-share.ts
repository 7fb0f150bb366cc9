import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { pieceBytesOf } from '#core/swarm/piece-map';
import { exponentialMs } from '#core/async/exponential-pause';
import type { ByteRange } from '#core/bytes/byte-range';
import { silentLogger, type Logger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import type { PeerFile } from '#sources/peer/peer-file';
import type { FileShare, HeldFile } from '#transfer/report/transfer-options';

export interface HostShareOptions {
  /** Other hosts that may have the file, or fetch it. */
  readonly peers: readonly PeerFile[];
  /** Name of this host, as its own server gives it to others. */
  readonly peerId: string;
  readonly onBegin?: ((file: HeldFile) => void) | undefined;
  readonly logger?: Logger | undefined;
  /** Monotonic milliseconds. */
  readonly now?: (() => number) | undefined;
}

/** A peer that fetches the file is asked this often which pieces it has, and less often with many peers. */
const ASK_EVERY_MS = 200;
const ASK_EVERY_MS_PER_PEER = 25;
/** A peer that has the whole file. */
const ASK_COMPLETE_MS = 5 * SECOND_MS;
/** A peer that does not have the file, or is away: hosts often begin at about the same time, so it is asked often at first. */
const ASK_ABSENT_MS = 200;
const OFTEN = 10;
const ASK_ABSENT_MAX_MS = 5 * SECOND_MS;
/** The transfer does not wait longer for the first answers. */
const FIRST_ANSWERS_MS = 1500;
/** Twice the time of a piece at the measured rate, within these bounds, is the time in which a host is expected to get one. */
const LEAST_WAIT_MS = 3 * SECOND_MS;
const MOST_WAIT_MS = 30 * SECOND_MS;
/** How long a view of the peers counts: each claim asks for it many times. */
const VIEW_MS = 50;

/** The peers of one moment. */
interface View {
  readonly atMs: number;
  /** Have or fetch the file, and may be expected to give parts of it. */
  readonly live: readonly PeerFile[];
  /** Names of the hosts that divide what no host has yet, this one included; sorted. */
  readonly members: readonly string[];
}

/**
 * Divides a file between the hosts that fetch it, without a leader: a piece that no host has yet belongs to the host whose name and the
 * number of the piece have the greatest hash. This host asks the origin for its own pieces, and peers for the others. A host without
 * progress drops out, and its pieces fall to the others. When nothing arrives for twice the expected time, the origin is asked.
 */
export class HostShare implements FileShare {
  readonly #options: HostShareOptions;
  readonly #now: () => number;
  readonly #stopped = new AbortController();
  readonly #owners = new Map<string, string>();
  /** What each peer gave, and when it gave the last of it. */
  readonly #given = new Map<PeerFile, { readonly bytes: number; readonly atMs: number; isIdle: boolean }>();
  #file: HeldFile | undefined;
  #view: View | undefined;
  #asked: Promise<void> = Promise.resolve();
  #hasAsked = true;
  #beganAt = 0;
  #beganLeaves = 0;
  #doneLeaves = 0;
  /** When the last whole piece had arrived, and how many leaves there were then. */
  #moved = { atMs: 0, leaves: 0 };

  constructor(options: HostShareOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Begins to ask the peers, until `stop`. */
  start(): void {
    this.#await(this.#options.peers.map((peer) => this.#follow(peer)));
  }

  #await(answers: readonly Promise<void>[]): void {
    if (answers.length === 0) return;
    this.#hasAsked = false;
    const { signal } = this.#stopped;
    const late = pause(FIRST_ANSWERS_MS, undefined, { signal, ref: false }).catch(() => undefined);
    this.#asked = Promise.race([Promise.all(answers), late]).then(() => {
      this.#hasAsked = true;
    });
  }

  /** Safe twice and before start. */
  stop(): void {
    this.#stopped.abort();
  }

  /** Resolves when each peer has answered once, or took too long. */
  asked = (): Promise<void> => this.#asked;

  begin(file: HeldFile): void {
    this.#file = file;
    this.#beganAt = this.#now();
    this.#beganLeaves = this.#doneLeaves = countDone(file);
    this.#moved = { atMs: this.#beganAt, leaves: this.#doneLeaves };
    this.#options.onBegin?.(file);
    // Hosts that began since the first question are seen, and they see this one.
    this.#await(this.#options.peers.map((peer) => this.#askOne(peer)));
  }

  mayAsk({ start }: ByteRange): boolean {
    if (!this.#hasAsked || this.#file === undefined) return false;
    const { live, members } = this.#viewed();
    if (live.length === 0 || this.#isStuck(2)) return true;
    const piece = Math.floor(start / this.#pieceBytes);
    if (live.some(({ map }) => map?.has(piece) === true)) return false;
    return this.#ownerOf(piece, members) === this.#options.peerId;
  }

  get spanBytes(): number | undefined {
    if (this.#options.peers.length === 0 || this.#file === undefined) return undefined;
    return this.#pieceBytes;
  }

  get mayStillCome(): boolean {
    if (!this.#hasAsked) return true;
    return this.#file !== undefined && this.#viewed().live.length > 0 && !this.#isStuck(3);
  }

  get #pieceBytes(): number {
    return pieceBytesOf(this.#file?.table.sizeBytes ?? 0);
  }

  /** No whole piece arrived for so many times the expected time. */
  #isStuck(times: number): boolean {
    return this.#now() - this.#moved.atMs > times * this.#waitMs;
  }

  get #waitMs(): number {
    const bytes = this.#bytesOf(this.#doneLeaves - this.#beganLeaves);
    const pieces = bytes / this.#pieceBytes;
    const elapsedMs = this.#now() - this.#beganAt;
    return Math.min(MOST_WAIT_MS, Math.max(LEAST_WAIT_MS, pieces > 0 ? (2 * elapsedMs) / pieces : 0));
  }

  #bytesOf(leaves: number): number {
    const { sizeBytes = 0, count = 1 } = this.#file?.table ?? {};
    return (leaves * sizeBytes) / count;
  }

  #viewed(): View {
    const now = this.#now();
    if (this.#view !== undefined && now - this.#view.atMs < VIEW_MS) return this.#view;
    this.#note(now);
    const { peers, peerId } = this.#options;
    const known = new Map<string, PeerFile>();
    // Two addresses of one host count once.
    for (const peer of peers) if (this.#isLive(peer, now)) known.set(peer.id!, known.get(peer.id!) ?? peer);
    const growing = [...known].flatMap(([id, { map }]) => (map!.isComplete ? [] : [id]));
    const members = [...growing, peerId].sort();
    if (members.join() !== this.#view?.members.join()) this.#owners.clear();
    this.#view = { atMs: now, live: [...known.values()], members };
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
    const isMoved = this.#bytesOf(this.#doneLeaves - this.#moved.leaves) >= this.#pieceBytes;
    if (isMoved || this.#doneLeaves < this.#moved.leaves) this.#moved = { atMs: now, leaves: this.#doneLeaves };
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

  /** Asks one peer again and again. @returns resolves after the first answer */
  #follow(peer: PeerFile): Promise<void> {
    const { signal } = this.#stopped;
    const first = this.#askOne(peer);
    const rest = async (): Promise<void> => {
      await first;
      for (let absences = 0; !signal.aborted; await this.#askOne(peer)) {
        absences = peer.map === undefined ? absences + 1 : 0;
        await pause(this.#pauseAfter(peer, absences), undefined, { signal, ref: false });
      }
    };
    rest().catch((error: unknown) => {
      if (!signal.aborted) this.#logger.error({ err: error, peer: peer.name }, 'a peer is not asked any more');
    });
    return first;
  }

  #pauseAfter({ map }: PeerFile, absences: number): number {
    if (map === undefined) return exponentialMs(ASK_ABSENT_MS, Math.max(1, absences - OFTEN), ASK_ABSENT_MAX_MS);
    const growingMs = Math.max(ASK_EVERY_MS, ASK_EVERY_MS_PER_PEER * this.#options.peers.length);
    return map.isComplete ? ASK_COMPLETE_MS : growingMs;
  }

  async #askOne(peer: PeerFile): Promise<void> {
    await peer.ask(this.#stopped.signal).catch((error: unknown) => {
      this.#logger.debug({ peer: peer.name, err: error }, 'a peer does not say what it has');
    });
  }

  get #logger(): Logger {
    return this.#options.logger ?? silentLogger;
  }
}

function countDone({ table, isDone }: HeldFile): number {
  let count = 0;
  for (let leaf = 0; leaf < table.count; leaf += 1) if (isDone(leaf)) count += 1;
  return count;
}
