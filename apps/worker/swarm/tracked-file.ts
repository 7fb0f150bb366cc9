import { leafAt, leafBytesAt } from '#content/leaf/leaf-block';
import { MAX_LEASES, type AnnounceInput, type AnsweredFile, type SwarmLease } from '#contracts/swarm';
import { PieceMap } from '#core/swarm/piece-map';
import { SECOND_MS } from '#core/units';
import type { PeerFault, PieceLeases } from '#fetch/swarm/host-share';
import type { HeldFile } from '#transfer/report/transfer-options';
import { ANSWER_WAIT_MS, AnswerWait } from './answer-wait.ts';
import { NamedHosts } from './named-hosts.ts';

type Announced = AnnounceInput['files'][number];
type Report = NonNullable<Announced['leases']>[number];
type Blame = NonNullable<Announced['blame']>[number];

export interface TrackedFileOptions {
  /** Root CID: version 1, base32. */
  readonly cid: string;
  /** The CID as the download names it. */
  readonly named: string;
  readonly sizeBytes: number;
  /** Called with the addresses of other hosts, after each answer. */
  readonly onAnswer: (urls: readonly string[]) => void;
  /** Called when there may be news: the file begins or has ended, or leaves arrived while this host has leases. */
  readonly onNews: () => void;
  /**
   * Milliseconds for which every source of the file but hosts is paused, because it asked a host of the fleet for that; 0: one of them is not.
   *
   * @param isLeft this transfer does not ask the source any more
   */
  readonly originPauseMs?: ((isLeft: (source: string) => boolean) => number) | undefined;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Without an answer for so long the tracker is away, and hosts divide the file by themselves. */
const AWAY_MS = 6 * SECOND_MS;
/** Leases at first; a host that brings its pieces sooner than it is asked for more gets more. */
const FIRST_WANT = 4;
/** So many answers without another host show that there is none. */
const ALONE_ANSWERS = 2;
/** A longer pause of the origin ends the lease, and the tracker leases no piece of the origin until then. */
const LEAST_PAUSE_MS = 2 * SECOND_MS;
/** Reports of one announce. */
const MOST_BLAME = 64;

/** For these reasons a host gets no lease, and other hosts do not bring it all pieces: it divides the file without the tracker. */
const NOT_LED: ReadonlySet<AnsweredFile['wait']> = new Set<AnsweredFile['wait']>(['quarantined', 'foreign']);

interface HeldLease extends SwarmLease {
  readonly untilMs: number;
}

/** One file of this host at the tracker: what is told of it, and which pieces are leased to this host. */
export class TrackedFile implements PieceLeases {
  readonly cid: string;
  readonly #options: TrackedFileOptions;
  readonly #beganAt: number;
  #endedAt: number | undefined;
  #hasBegun = false;
  readonly #blame = new Map<string, Blame>();
  readonly #hosts = new NamedHosts();
  readonly #first = new AnswerWait();
  #site = '';
  #leases: readonly HeldLease[] = [];
  #held: HeldFile | undefined;
  #unlisten: () => void = () => undefined;
  #phase: Announced['state'] = 'leeching';
  #answeredAt: number | undefined;
  #isRefused = false;
  #wait: AnsweredFile['wait'] = null;
  /** Answers in a row that named no other host. */
  #aloneAnswers = 0;
  #want = FIRST_WANT;
  #doneBytes = 0;
  #originBytes = 0;
  #diskWaitMs = 0;
  /** Of the origin, when the transfer ended. */
  #pausedUntil = 0;
  /** Since the last announce. */
  #hasChanged = true;

  constructor(options: TrackedFileOptions) {
    this.#options = options;
    this.cid = options.cid;
    this.#beganAt = options.now();
  }

  get phase(): Announced['state'] {
    return this.#phase;
  }

  get state(): PieceLeases['state'] {
    if (this.#isRefused) return 'away';
    const now = this.#options.now();
    if (this.#answeredAt === undefined) return now - this.#beganAt < ANSWER_WAIT_MS ? 'asking' : 'away';
    return !NOT_LED.has(this.#wait) && now - this.#answeredAt < AWAY_MS ? 'known' : 'away';
  }

  get getsNone(): boolean {
    return this.#wait === 'hidden';
  }

  mayAsk = (piece: number): boolean => this.isAlone || this.#mayFetch(piece, 'origin');

  /** Hosts often begin at the same time, so the first answer may be too early to name the others. */
  get isAlone(): boolean {
    return this.isLone && this.#aloneAnswers >= ALONE_ANSWERS;
  }

  /** It is fetched, and the last answer named no other host. */
  get isLone(): boolean {
    return this.#phase === 'leeching' && this.#aloneAnswers > 0;
  }

  /** The piece may come from a host at this address: of the own site, or by a lease. */
  mayTake(url: string, piece: number): boolean {
    const host = this.#hosts.at(url);
    return this.state !== 'known' || host === undefined || host.site === this.#site || this.#mayFetch(piece, 'site');
  }

  /** The host at this address is of another site. */
  isFar(origin: string): boolean {
    const host = this.#hosts.ofOrigin(origin);
    return host !== undefined && host.site !== this.#site;
  }

  /** The tracker has said something of it. */
  get isAnswered(): boolean {
    return this.#answeredAt !== undefined;
  }

  /** Addresses of the hosts of the own site that it is fetched from, or would be. */
  get nearUrls(): readonly string[] {
    return this.#hosts.urlsOf(this.#site);
  }

  /** Resolves with the first answer, or when it takes too long. */
  first(): Promise<void> {
    if (this.#answeredAt !== undefined || this.#isRefused) return Promise.resolve();
    return this.#first.next();
  }

  /** The file is laid out. */
  begin(held: HeldFile): void {
    [this.#held, this.#hasChanged, this.#hasBegun] = [held, true, true];
    this.#doneBytes = doneBytesOf(held);
    this.#diskWaitMs = held.diskWaitMs();
    this.#unlisten();
    this.#unlisten = held.onMore(() => {
      if (this.#leases.length > 0) this.#options.onNews();
    });
    this.#options.onNews();
  }

  /** Bytes that arrived since the last call. */
  arrivedBytes(): number {
    const before = this.#doneBytes;
    this.#doneBytes = this.#held === undefined ? before : doneBytesOf(this.#held);
    return Math.max(0, this.#doneBytes - before);
  }

  /** Milliseconds that it waited for the disk since the last call. */
  diskWaitedMs(): number {
    const before = this.#diskWaitMs;
    this.#diskWaitMs = this.#held?.diskWaitMs() ?? before;
    return Math.max(0, this.#diskWaitMs - before);
  }

  /** The transfer has ended. @param isHere the whole file is in the store */
  end(isHere: boolean): void {
    this.#originBytes = this.#held?.originBytes() ?? this.#originBytes;
    this.#pausedUntil = this.#options.now() + this.#originPauseMs();
    [this.#held, this.#hasChanged] = [undefined, true];
    this.#endedAt ??= this.#options.now();
    this.#phase = isHere ? 'seeding' : 'gone';
    this.#unlisten();
    this.#options.onNews();
  }

  fault(url: string, piece: number, reason: PeerFault): void {
    const host = this.#hosts.at(url)?.host;
    if (host === undefined) return;
    if (reason !== 'absent') this.#hosts.drop([host]);
    if (this.#blame.size < MOST_BLAME) this.#blame.set(`${host} ${piece} ${reason}`, { host, piece, reason });
  }

  /** It begins or has ended, or a leased piece is here: the tracker should know at once. */
  get hasNews(): boolean {
    return this.#hasChanged || this.#leases.some(({ piece }) => this.#missingBytes(piece) === 0);
  }

  announced(): Announced {
    const { cid, named, sizeBytes } = this.#options;
    this.#hasChanged = false;
    const have = this.#map();
    const leases = this.#leases.map((lease) => this.#reportOf(lease, have));
    const done = leases.filter(({ status }) => status === 'done').length;
    this.#want = Math.min(MAX_LEASES, done >= this.#want ? 2 * this.#want : Math.max(FIRST_WANT, this.#want));
    const isLeeching = this.#phase === 'leeching' && this.#held?.originPauseMs() !== undefined;
    const originPauseMs = Math.ceil(this.#originPauseMs());
    return {
      ...{ cid, sizeBytes, state: this.#phase, have: have.toString(), leases, blame: [...this.#blame.values()] },
      ...(named !== cid && { named }),
      want: isLeeching ? this.#want : 0,
      originBytes: this.#held?.originBytes() ?? this.#originBytes,
      ...(originPauseMs > 0 && { originPauseMs }),
      ...((this.#hasBegun || this.#phase === 'leeching') && { transfer: this.#transfer() }),
    };
  }

  /** Of a transfer that found all sources paused it is told with its end too. */
  #originPauseMs(): number {
    if (this.#phase === 'gone') return this.#pausedUntil - this.#options.now();
    if (this.#phase === 'seeding') return 0;
    const held = this.#held;
    const isLeft = (source: string): boolean => held !== undefined && held.bytesFrom(source) === undefined;
    return this.#options.originPauseMs?.(isLeft) ?? 0;
  }

  #transfer(): Announced['transfer'] {
    const now = this.#options.now();
    const ended = this.#endedAt !== undefined && { endedMs: Math.round(now - this.#endedAt) };
    return { beganMs: Math.round(now - this.#beganAt), ...ended };
  }

  /** @param sent what was announced: reports of it are not repeated */
  answered(answer: AnsweredFile, site: string, sent: Announced): void {
    const now = this.#options.now();
    for (const { host, piece, reason } of sent.blame ?? []) this.#blame.delete(`${host} ${piece} ${reason}`);
    [this.#answeredAt, this.#site, this.#isRefused] = [now, site, false];
    this.#wait = answer.wait;
    this.#aloneAnswers = answer.peers.length === 0 ? this.#aloneAnswers + 1 : 0;
    this.#leases = answer.leases.map((lease) => ({ ...lease, untilMs: now + lease.endsInMs }));
    this.#hosts.drop(answer.leave);
    this.#hosts.take(answer.peers, (peer) => this.#isToGive(peer), now);
    this.#options.onAnswer(this.#hosts.urls);
    this.#first.end();
  }

  /** The API has no tracker for this host. */
  refused(): void {
    this.#isRefused = true;
    this.#first.end();
  }

  /** It has a piece that this host leases from other sites. */
  #isToGive({ site, have }: AnsweredFile['peers'][number]): boolean {
    const wanted = this.#leases.filter(({ from }) => from === 'site');
    if (wanted.length === 0 || site === this.#site) return false;
    const map = PieceMap.parse(have, this.#options.sizeBytes);
    return map !== undefined && wanted.some(({ piece }) => map.has(piece));
  }

  #mayFetch(wanted: number, from: SwarmLease['from']): boolean {
    const now = this.#options.now();
    return this.#leases.some((lease) => lease.piece === wanted && lease.from === from && lease.untilMs > now);
  }

  #map(): PieceMap {
    const { sizeBytes } = this.#options;
    if (this.#phase === 'seeding') return PieceMap.parse('all', sizeBytes)!;
    return this.#held === undefined ? new PieceMap(sizeBytes) : PieceMap.of(this.#held.table, this.#held.isDone);
  }

  #reportOf({ id, piece, from }: HeldLease, have: PieceMap): Report {
    const report = { id, piece, from };
    if (have.has(piece)) return { ...report, status: 'done' };
    if (this.#phase !== 'leeching') return { ...report, status: 'released' };
    const pauseMs = from === 'origin' ? this.#held?.originPauseMs() : 0;
    if (this.#held !== undefined && pauseMs === undefined) return { ...report, status: 'failed' };
    if (pauseMs !== undefined && pauseMs > LEAST_PAUSE_MS)
      return { ...report, status: 'failed', retryAfterMs: Math.ceil(pauseMs) };
    return { ...report, status: 'held', bytes: this.#arrivedBytes(piece, have.pieceBytes) };
  }

  /** Of a piece. Those of a leaf that is not complete count too: on a slow link one leaf takes longer than a lease may stand still. */
  #arrivedBytes(piece: number, pieceBytes: number): number {
    const start = piece * pieceBytes;
    const end = Math.min(start + pieceBytes, this.#options.sizeBytes);
    const whole = Math.max(0, end - start - this.#missingBytes(piece));
    return Math.min(end - start, whole + (this.#held?.begunBytes({ start, end }) ?? 0));
  }

  /** Bytes of the leaves of a piece that are not here yet; infinite before the file is laid out. */
  #missingBytes(piece: number): number {
    if (this.#held === undefined) return Infinity;
    const { table, isDone } = this.#held;
    const map = new PieceMap(table.sizeBytes);
    let missing = 0;
    // The leaf at the beginning of a piece may be the last one of the piece before.
    for (let leaf = leafAt(table, piece * map.pieceBytes); leaf < table.count; leaf += 1) {
      const at = map.pieceAt(table.starts[leaf]!);
      if (at > piece) break;
      if (at === piece && !isDone(leaf)) missing += leafBytesAt(table, leaf);
    }
    return missing;
  }
}

function doneBytesOf({ table, isDone }: HeldFile): number {
  let bytes = 0;
  for (let leaf = 0; leaf < table.count; leaf += 1) if (isDone(leaf)) bytes += leafBytesAt(table, leaf);
  return bytes;
}
