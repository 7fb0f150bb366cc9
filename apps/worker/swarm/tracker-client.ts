import { ApiError } from '#client/api-error';
import type { SwarmClient } from '#client/swarm-client';
import type { AnnounceInput, Announced } from '#contracts/swarm';
import { BoundedMap } from '#core/bounded-map';
import { exponentialMs, jitteredMs } from '#core/async/exponential-pause';
import type { Logger } from '#core/logger';
import { LEECHING_INTERVAL_MS } from '#core/swarm/lease-time';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import { endOfPeerToken, readPeerToken, type PeerClaims } from '#http/peer-token';
import { AnswerWait } from './answer-wait.ts';
import type { SharedPauses } from './shared-pauses.ts';
import { TransferRates } from './transfer-rates.ts';
import { TrackedFile, type TrackedFileOptions } from './tracked-file.ts';

export interface TrackerClientOptions {
  readonly client: Pick<SwarmClient, 'announce' | 'getSwarmKey'>;
  readonly host: string;
  /** Another one after each start. */
  readonly boot: string;
  /** Called with the part of this host in the limit of its site, after each answer; bytes per second, undefined: no limit. */
  readonly onLimit?: ((bytesPerSecond: number | undefined) => void) | undefined;
  /** Pauses of origins that are told and taken with each announce. */
  readonly pauses?: Pick<SharedPauses, 'own' | 'keep' | 'onMore'> | undefined;
  readonly logger: Logger;
  /** Monotonic milliseconds. */
  readonly now?: (() => number) | undefined;
}

/** What happens within this is looked at together: a file is laid out right after it is tracked, and leaves come one after another. */
const NEWS_MS = 25;
/** What should be known is told at once, and not more often than this. */
const LEAST_PAUSE_MS = 250;
/** A host that fetches a file and knows no other one looks once after the shorter time, and then this often, whether one has come. */
const FIRST_LONE_MS = 300;
const LONE_MS = SECOND_MS;
const FIRST_RETRY_MS = SECOND_MS;
/** Pauses of origins that were told within this are known: a host that fetches is told them with each announce. */
const FRESH_MS = 1.5 * LEECHING_INTERVAL_MS;
/** Far less than hosts ask while it answers; meanwhile they divide files by themselves, with more copies from the origin. */
const LONGEST_RETRY_MS = 8 * SECOND_MS;
/** An API that refuses to be the tracker of this host is asked again after this long. */
const REFUSED_MS = 5 * MINUTE_MS;
/** The last word is not waited for longer. */
const STOP_MS = SECOND_MS;
/** Files that the host has and gives; the least recently fetched are not told any more. */
const MOST_SEEDS = 32;
/** Hosts that are asked for a file which the tracker does not say anything of. */
const MOST_NEAR = 32;
/** Files of one announce. */
const MOST_FILES = 64;
/** The API has no tracker, or not for this host. */
const REFUSALS = new Set([400, 401, 403, 404, 405]);
/** A key that does not fit a token may be an old one; it is asked for again, but not at each request. */
const KEY_AGAIN_MS = MINUTE_MS;
const KEY_FIRST_MS = 5 * SECOND_MS;
/** Such a difference between the clock of this host and that of the API is told once: certificates and keys of sites need right clocks. */
const WRONG_CLOCK_MS = 2 * MINUTE_MS;
/** Tokens of other hosts whose signature was checked; each of their requests shows one. */
const MOST_READ = 1024;

/** A file that is fetched without being announced. */
export interface UntoldFetch {
  /** Resolves when this host knows which origins other hosts were asked to leave alone, or the API takes too long to say it. */
  readonly mayBegin: Promise<void>;
  /** The file is not fetched any more. */
  readonly end: () => void;
}

/** Tells the API what this host fetches and has, and takes from it which pieces to fetch, and from which hosts. */
export class TrackerClient {
  readonly rates = new TransferRates();
  readonly #options: TrackerClientOptions;
  readonly #now: () => number;
  readonly #files = new Map<string, TrackedFile>();
  readonly #stopping = new AbortController();
  #isStarted = false;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer ends; infinite while there is none. */
  #looksAt = Infinity;
  #urls: readonly string[] = [];
  #running: Promise<void> | undefined;
  #announcedAt = -Infinity;
  #dueAt = Infinity;
  #failures = 0;
  /** Files that are fetched and not announced. */
  #fetching = 0;
  /** When the API last told the pauses of origins. */
  #pausesAt = -Infinity;
  readonly #told = new AnswerWait();
  /** An origin asked this host for a pause, and the API does not know it yet. */
  #hasPause = false;
  #unfollowPauses: () => void = () => undefined;
  #token: { readonly text: string; readonly untilMs: number } | undefined;
  #key: string | undefined;
  #keyAskedAt = -Infinity;
  /** Wall clock of the API at a monotonic time, by its last answer; undefined before. Tokens end by that clock. */
  #apiClock: { readonly wallMs: number; readonly atMs: number } | undefined;
  #hasToldClock = false;
  #read = new BoundedMap<PeerClaims>({ capacity: MOST_READ });

  constructor(options: TrackerClientOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Begins to announce. @param urls of the server of this host; none: other hosts cannot reach it */
  start(urls: readonly string[]): void {
    this.#urls = urls;
    this.#isStarted = true;
    this.#lookBy(this.#dueAt);
    this.#unfollowPauses = this.#options.pauses?.onMore(() => this.#heardPause()) ?? this.#unfollowPauses;
    void this.#askKey();
  }

  /** Tells that this host gives nothing any more. Safe twice and before start. */
  async stop(): Promise<void> {
    if (!this.#isStarted) return;
    this.#isStarted = false;
    clearTimeout(this.#timer);
    this.#told.end();
    this.#unfollowPauses();
    const late = setTimeout(() => this.#stopping.abort(), STOP_MS);
    await this.#running;
    if (this.#files.size > 0 && this.#failures === 0) {
      for (const file of this.#files.values()) file.end(false);
      await this.#announce();
    }
    clearTimeout(late);
    this.#stopping.abort();
  }

  /** Begins to announce a file that this host fetches. */
  track(options: Omit<TrackedFileOptions, 'now' | 'onNews'>): TrackedFile {
    const file = new TrackedFile({ ...options, now: this.#now, onNews: () => this.#heard() });
    this.#files.delete(options.cid);
    this.#files.set(options.cid, file);
    if (this.#failures === 0) this.#dueAt = 0;
    else file.refused();
    this.#heard();
    return file;
  }

  /** A file is fetched that is not announced: it counts in the limit of the site. */
  fetches(): UntoldFetch {
    this.#fetching += 1;
    const arePausesKnown = this.#failures > 0 || !this.#isStarted || this.#now() - this.#pausesAt < FRESH_MS;
    const mayBegin = arePausesKnown ? Promise.resolve() : this.#told.next();
    if (this.#failures === 0) this.#dueAt = 0;
    this.#heard();
    return { mayBegin, end: () => void (this.#fetching -= 1) };
  }

  /** Announces a file that is in the store. */
  seed(cid: string, sizeBytes: number): void {
    if (this.#files.has(cid)) return;
    this.track({ cid, named: cid, sizeBytes, onAnswer: () => undefined }).end(true);
  }

  /** Files that are announced as complete. */
  get seeds(): readonly TrackedFile[] {
    return [...this.#files.values()].filter(({ phase }) => phase === 'seeding');
  }

  /** Addresses of hosts of the own site that are known from any file. */
  get nearUrls(): readonly string[] {
    return [...new Set([...this.#files.values()].flatMap((file) => file.nearUrls))].slice(0, MOST_NEAR);
  }

  /** What shows other hosts that this one may fetch the files; undefined where none is given. */
  get token(): string | undefined {
    return this.#token !== undefined && this.#token.untilMs > this.#now() ? this.#token.text : undefined;
  }

  /** @returns root CIDs that the host with this token may fetch; undefined for a token that is none */
  allowedBy = (token: string): readonly string[] | undefined => {
    const known = this.#read.get(token);
    const wallMs = this.#apiNow();
    if (known !== undefined && known.untilMs > wallMs) return known.cids;
    const claims = this.#key === undefined ? undefined : readPeerToken(this.#key, token, wallMs);
    if (claims !== undefined) this.#read.set(token, claims);
    const againMs = this.#key === undefined ? KEY_FIRST_MS : KEY_AGAIN_MS;
    if (claims === undefined && this.#now() - this.#keyAskedAt > againMs) void this.#askKey();
    return claims?.cids;
  };

  /** The wall clock of this host may be wrong. */
  #apiNow(): number {
    return this.#apiClock === undefined ? Date.now() : this.#apiClock.wallMs + this.#now() - this.#apiClock.atMs;
  }

  #setApiClock({ token, tokenEndsInMs }: Announced): void {
    const endMs = token === null ? undefined : endOfPeerToken(token);
    if (endMs === undefined) return;
    this.#apiClock = { wallMs: endMs - tokenEndsInMs, atMs: this.#now() };
    const aheadMs = Date.now() - this.#apiClock.wallMs;
    if (this.#hasToldClock || Math.abs(aheadMs) < WRONG_CLOCK_MS) return;
    this.#hasToldClock = true;
    const aheadSeconds = Math.round(aheadMs / SECOND_MS);
    this.#options.logger.warn({ aheadSeconds }, 'the clock of this host is not that of the API: set one of them right');
  }

  /** Something happened that the tracker may have to know. */
  #heard(): void {
    this.#lookBy(this.#failures === 0 ? this.#now() + NEWS_MS : this.#dueAt);
  }

  /** Hosts that fetch from the same origin should know it, also when this one fetches nothing any more. */
  #heardPause(): void {
    this.#hasPause = true;
    this.#heard();
  }

  /** Looks at that time or before whether there is something to tell; while an announce runs, at its end. */
  #lookBy(time: number): void {
    const at = Math.max(time, this.#announcedAt + LEAST_PAUSE_MS);
    if (!this.#isStarted || this.#running !== undefined || at >= this.#looksAt) return;
    clearTimeout(this.#timer);
    this.#looksAt = at;
    this.#timer = setTimeout(() => this.#look(), Math.max(0, Math.ceil(at - this.#now()))).unref();
  }

  #look(): void {
    this.#looksAt = Infinity;
    if (!this.#isStarted || (this.#files.size + this.#fetching === 0 && !this.#hasPause)) return;
    const hasNews = this.#failures === 0 && (this.#hasPause || [...this.#files.values()].some((file) => file.hasNews));
    const at = Math.max(hasNews ? 0 : this.#dueAt, this.#announcedAt + LEAST_PAUSE_MS);
    if (this.#now() < at) return this.#lookBy(at);
    this.#running = this.#announce().finally(() => {
      this.#running = undefined;
      this.#look();
    });
  }

  /** Never rejects: without the tracker the hosts go on by themselves. */
  async #announce(): Promise<void> {
    this.#announcedAt = this.#now();
    this.#dueAt = Infinity;
    this.#hasPause = false;
    const { host, boot, client, pauses, logger } = this.#options;
    const files = this.#chosen().map((file) => ({ file, sent: file.announced() }));
    for (const { file } of files) this.rates.took(file.arrivedBytes());
    const waitedMs = files.map(({ file }) => file.diskWaitedMs());
    this.rates.waited(Math.max(0, ...waitedMs));
    const body: AnnounceInput = {
      ...{ host, boot, urls: [...this.#urls], rate: this.rates.now(), files: files.map(({ sent }) => sent) },
      ...{ diskBound: this.rates.isDiskBound(), isFetching: this.#fetching > 0, originPauses: pauses?.own ?? [] },
    };
    try {
      const answer = await client.announce(body, this.#stopping.signal);
      this.#take(answer, files);
    } catch (error) {
      if (!this.#stopping.signal.aborted) logger.info({ err: error }, 'the tracker does not answer');
      this.#missed(error);
    }
  }

  /** Files that are fetched, and those that were fetched last. */
  #chosen(): TrackedFile[] {
    const all = [...this.#files.values()];
    const seeds = all.filter(({ phase }) => phase === 'seeding');
    for (const { cid } of seeds.slice(0, -MOST_SEEDS)) this.#files.delete(cid);
    return all.filter(({ cid }) => this.#files.has(cid)).slice(-MOST_FILES);
  }

  #take(answer: Announced, files: readonly { file: TrackedFile; sent: AnnounceInput['files'][number] }[]): void {
    const now = this.#now();
    this.#failures = 0;
    this.#options.onLimit?.(answer.limits?.outsideBytesPerSecond ?? undefined);
    this.#options.pauses?.keep(answer.originPauses ?? []);
    if (answer.originPauses !== undefined) {
      this.#pausesAt = now;
      this.#told.end();
    }
    this.#setApiClock(answer);
    this.#token = answer.token === null ? undefined : { text: answer.token, untilMs: now + answer.tokenEndsInMs };
    for (const { file, sent } of files) {
      const own = answer.files.find(({ cid }) => cid === file.cid);
      if (own !== undefined) file.answered(own, answer.site, sent);
      if (sent.state === 'gone' && this.#files.get(file.cid) === file) this.#files.delete(file.cid);
    }
    const waits = files.map(({ file }) => (!file.isLone ? Infinity : file.isAlone ? LONE_MS : FIRST_LONE_MS));
    this.#dueAt = Math.min(this.#dueAt, now + Math.min(answer.intervalMs, ...waits));
  }

  #missed(error: unknown): void {
    const now = this.#now();
    this.#failures += 1;
    this.#told.end();
    this.#hasPause ||= (this.#options.pauses?.own.length ?? 0) > 0;
    const retryMs = jitteredMs(exponentialMs(FIRST_RETRY_MS, this.#failures, LONGEST_RETRY_MS), Math.random());
    const isRefused = error instanceof ApiError && REFUSALS.has(error.status);
    if (isRefused) for (const file of this.#files.values()) file.refused();
    const after = error instanceof ApiError ? error.retryAfterMs : undefined;
    this.#dueAt = now + (isRefused ? REFUSED_MS : Math.max(after ?? 0, retryMs));
  }

  async #askKey(): Promise<void> {
    this.#keyAskedAt = this.#now();
    const asked = this.#options.client.getSwarmKey().catch((error: unknown) => {
      this.#options.logger.debug({ err: error }, 'the key of peer tokens is not known');
      return undefined;
    });
    const key = (await asked)?.publicKey ?? this.#key;
    if (key !== this.#key) this.#read = new BoundedMap({ capacity: MOST_READ });
    this.#key = key;
  }
}
