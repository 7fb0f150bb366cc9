import { setTimeout as pause } from 'node:timers/promises';
import { exponentialMs } from '#core/async/exponential-pause';
import type { Logger } from '#core/logger';
import type { Source } from '#core/source';
import { SECOND_MS } from '#core/units';
import type { PeerFile } from '#sources/peer/peer-file';
import type { PeerBook } from './peer-book.ts';

/** One file at one host: which pieces are there, and how they are read. */
export interface Peer {
  readonly file: PeerFile;
  readonly source: Source;
}

export interface FollowedPeersOptions {
  readonly book: PeerBook;
  /** @param asked resolves when all peers were asked once which pieces they have */
  readonly peerAt: (url: string, asked: () => Promise<void>) => Peer;
  /** Called when a peer that answered before did not answer several times in a row. */
  readonly onAway?: ((url: string) => void) | undefined;
  /** Called when a peer has more pieces than before, or is less busy. */
  readonly onMore?: (() => void) | undefined;
  readonly logger: Logger;
}

/** Unanswered questions in a row after which a peer that answered before is away. */
const AWAY_AFTER = 2;
/** A peer that fetches the file is asked this often which pieces it has, and less often with many peers. */
const ASK_EVERY_MS = 200;
const ASK_EVERY_MS_PER_PEER = 25;
/** A peer that has the whole file is asked only whether it still answers. */
const ASK_COMPLETE_MS = 2 * SECOND_MS;
/** A peer that does not have the file, or is away: hosts often begin at about the same time, so it is asked often at first. */
const ASK_ABSENT_MS = 200;
const OFTEN = 10;
const ASK_ABSENT_MAX_MS = 5 * SECOND_MS;
/** The transfer does not wait longer for the first answers. */
const FIRST_ANSWERS_MS = 1500;
/** The transfer takes up a peer that answered within this. */
const TAKEN_UP_MS = 500;

interface Followed extends Peer {
  /** Ends the questions; undefined for a peer that is not in the book any more. */
  stop: AbortController | undefined;
  /** Unanswered questions since its last answer, or since it was named. */
  unanswered: number;
  joinedAt: number;
  /** Undefined before the first answer, or refusal. */
  askedAt: number | undefined;
}

/** Asks the hosts of a book again and again which pieces of one file they have. Hosts may join and leave meanwhile. */
export class FollowedPeers {
  readonly #options: FollowedPeersOptions;
  readonly #byUrl = new Map<string, Followed>();
  #unsubscribe: (() => void) | undefined;
  #asked: Promise<void> = Promise.resolve();
  #hasAsked = true;
  #isStopped = false;

  constructor(options: FollowedPeersOptions) {
    this.#options = options;
  }

  /** Begins to ask, until `stop`. */
  start(): void {
    this.#unsubscribe = this.#options.book.subscribe(() => void this.#follow());
    this.#await(this.#follow());
  }

  /** Safe twice and before start. */
  stop(): void {
    this.#isStopped = true;
    this.#unsubscribe?.();
    for (const followed of this.#byUrl.values()) followed.stop?.abort();
  }

  /** Hosts of the book now. */
  get files(): readonly PeerFile[] {
    return this.#now.map(({ file }) => file);
  }

  /** Of every host that was ever in the book; those that left hold nothing. */
  get sources(): readonly Source[] {
    return [...this.#byUrl.values()].map(({ source }) => source);
  }

  /** Each peer has answered once, or took too long. */
  get hasAsked(): boolean {
    return this.#hasAsked;
  }

  /** A peer that joined has not answered yet, or so lately that the transfer has not asked it. */
  get hasJoining(): boolean {
    const now = performance.now();
    return this.#now.some(({ joinedAt, askedAt }) =>
      askedAt === undefined ? now - joinedAt < FIRST_ANSWERS_MS : now - askedAt < TAKEN_UP_MS,
    );
  }

  /** Resolves when each peer has answered once, or took too long. */
  asked = (): Promise<void> => this.#asked;

  /** Asks all of them now. */
  askAll(): void {
    this.#await(this.#now.map((followed) => this.#askOne(followed)));
  }

  get #now(): Followed[] {
    return [...this.#byUrl.values()].filter(({ stop }) => stop !== undefined);
  }

  #await(answers: readonly Promise<void>[]): void {
    if (answers.length === 0) return;
    this.#hasAsked = false;
    const late = pause(FIRST_ANSWERS_MS, undefined, { ref: false });
    this.#asked = Promise.race([Promise.all(answers), late]).then(() => {
      this.#hasAsked = true;
    });
  }

  /** Takes up what the book says now. @returns the first answers of hosts that joined */
  #follow(): Promise<void>[] {
    const urls = new Set(this.#options.book.urls.map(trimmed));
    for (const [url, followed] of this.#byUrl) if (!urls.has(url)) leave(followed);
    return this.#isStopped ? [] : [...urls].flatMap((url) => this.#join(url));
  }

  #join(url: string): Promise<void>[] {
    const followed = this.#byUrl.get(url) ?? this.#made(url);
    if (followed.stop !== undefined) return [];
    followed.stop = new AbortController();
    [followed.joinedAt, followed.askedAt] = [performance.now(), undefined];
    this.#byUrl.set(url, followed);
    return [this.#askAgainAndAgain(followed, followed.stop.signal)];
  }

  #made(url: string): Followed {
    return {
      ...this.#options.peerAt(url, this.asked),
      stop: undefined,
      unanswered: 0,
      joinedAt: 0,
      askedAt: undefined,
    };
  }

  /** @returns resolves after the first answer */
  #askAgainAndAgain(followed: Followed, signal: AbortSignal): Promise<void> {
    const first = this.#askOne(followed);
    const rest = async (): Promise<void> => {
      await first;
      for (let absences = 0; !signal.aborted; await this.#askOne(followed, isGrowing(followed.file))) {
        absences = followed.file.map === undefined ? absences + 1 : 0;
        await pause(this.#pauseAfter(followed.file, absences), undefined, { signal, ref: false });
      }
    };
    rest().catch((error: unknown) => {
      if (!signal.aborted) this.#options.logger.error({ err: error, peer: followed.file.name }, 'a peer is not asked');
    });
    return first;
  }

  #pauseAfter({ map, toldEveryMs }: PeerFile, absences: number): number {
    const absentMs = Math.max(ASK_ABSENT_MS, toldEveryMs);
    if (map === undefined) return exponentialMs(absentMs, Math.max(1, absences - OFTEN), ASK_ABSENT_MAX_MS);
    const growingMs = Math.max(ASK_EVERY_MS, toldEveryMs, ASK_EVERY_MS_PER_PEER * this.#byUrl.size);
    return map.isComplete ? ASK_COMPLETE_MS : growingMs;
  }

  /** @param follows goes on until the peer ends its answer */
  async #askOne(followed: Followed, follows = false): Promise<void> {
    const { file, stop } = followed;
    if (stop === undefined) return;
    const onMore = (): void => {
      followed.unanswered = 0;
      this.#options.onMore?.();
    };
    try {
      await (follows ? file.follow(stop.signal, onMore) : file.ask(stop.signal));
      followed.unanswered = 0;
    } catch (error) {
      if (stop.signal.aborted) return;
      this.#options.logger.debug({ peer: file.name, err: error }, 'a peer does not say what it has');
      followed.unanswered += 1;
      if (followed.unanswered % AWAY_AFTER === 0) this.#options.onAway?.(file.url);
    } finally {
      followed.askedAt ??= performance.now();
    }
  }
}

const isGrowing = ({ map }: PeerFile): boolean => map !== undefined && !map.isComplete;

const trimmed = (url: string): string => url.replace(/\/+$/, '');

function leave(followed: Followed): void {
  followed.stop?.abort();
  followed.stop = undefined;
  followed.file.lost();
}
