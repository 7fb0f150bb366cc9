import { SwarmCid } from '#contracts/swarm';
import type { DownloadJob } from '#contracts/worker/download-job';
import { messageOf } from '#core/error-facts';
import type { Logger } from '#core/logger';
import type { Source } from '#core/source';
import { MIB } from '#core/units';
import type { Peer } from '#fetch/swarm/followed-peers';
import { HostShare, type PieceLeases } from '#fetch/swarm/host-share';
import { PeerBook } from '#fetch/swarm/peer-book';
import type { Http } from '#http/pool';
import type { GrowingFiles } from '#serve/swarm/growing-files';
import { PeerFile } from '#sources/peer/peer-file';
import { PeerPace } from '#sources/peer/peer-pace';
import { peerSource } from '#sources/peer/peer-source';
import type { HeldFile } from '#transfer/report/transfer-options';
import type { TrackedFile, TrackedFileOptions } from './tracked-file.ts';
import type { TrackerClient } from './tracker-client.ts';

/** Files below this are not worth a round at the tracker: each host fetches them as if it were alone. */
const LEAST_TRACKED_BYTES = 2 * MIB;

/** Whether the tracker is told of a file. */
export const isTracked = (cid: string, sizeBytes: number): boolean =>
  sizeBytes >= LEAST_TRACKED_BYTES && SwarmCid.safeParse(cid).success;

export interface SharedDownloadOptions {
  readonly siteKey: string | undefined;
  /** Hosts that are known by the configuration and by the local network. */
  readonly book: PeerBook;
  readonly tracker: TrackerClient | undefined;
  readonly http: Http;
  readonly growing: GrowingFiles;
  readonly guard: (source: Source) => Source;
  readonly peerId: string;
  /** Takes what a question to a host for its pieces failed with. */
  readonly onPeerRefused: (url: string, error: unknown) => void;
  /** Whether the whole file with this CID is in the store. */
  readonly isHere: (cid: string) => Promise<boolean>;
  readonly logger: Logger;
}

/** One download that this host shares with others: what it takes from them, and what it gives. */
export class SharedDownload {
  readonly share: HostShare;
  readonly #cid: string;
  readonly #job: DownloadJob;
  readonly #options: SharedDownloadOptions;
  /** Hosts that may have this file. */
  readonly #book = new PeerBook();
  readonly #paces = { near: new PeerPace(() => performance.now()), far: new PeerPace(() => performance.now()) };
  readonly #unfollow: () => void;
  #tracked: TrackedFile | undefined;
  #originPauseMs: TrackedFileOptions['originPauseMs'];
  #withdraw: () => void = () => undefined;

  /** @param cid root of the file: version 1, base32 */
  constructor(job: DownloadJob, cid: string, options: SharedDownloadOptions) {
    const { book, peerId, logger } = options;
    [this.#job, this.#cid, this.#options] = [job, cid, options];
    const follow = (): void => this.#book.set('known', book.urls);
    follow();
    this.#unfollow = book.subscribe(follow);
    if (job.file.sizeBytes !== undefined) this.#track(job.file.sizeBytes);
    this.share = new HostShare({
      ...{ book: this.#book, peerId, logger, leases: this.#leases() },
      peerAt: (url, asked) => this.#peerAt(url, asked),
      onBegin: (file) => this.#begin(file),
      onFault: (url, piece, fault) => this.#tracked?.fault(url, piece, fault),
    });
  }

  /**
   * Begins to ask other hosts. Resolves when the tracker has named them, or there is none.
   *
   * @param originPauseMs how long the sources of the file but hosts are paused, for the other hosts of the swarm
   */
  async start(originPauseMs?: TrackedFileOptions['originPauseMs']): Promise<void> {
    this.#originPauseMs = originPauseMs;
    await this.#askTracker();
    this.share.start();
  }

  /** The transfer has ended, and other hosts are not asked any more. */
  stop(): void {
    this.share.stop();
    this.#unfollow();
  }

  /** Ends the offer of leaves: the file is published, or the download has ended. */
  withdraw(): void {
    const { isHere, logger } = this.#options;
    this.#withdraw();
    const tracked = this.#tracked;
    if (tracked === undefined) return;
    isHere(this.#cid).then(
      (here) => tracked.end(here),
      (error: unknown) => {
        logger.warn({ reason: messageOf(error) }, 'the store does not say whether it has a file');
        tracked.end(false);
      },
    );
  }

  /** Other hosts learn of it from the tracker. */
  get isTold(): boolean {
    return this.#tracked !== undefined;
  }

  /** Whether a source is a host of another site, as far as the tracker says. */
  isFar = (origin: string): boolean => this.#tracked?.isFar(origin) ?? false;

  #track(sizeBytes: number): void {
    const { tracker } = this.#options;
    if (tracker === undefined || !isTracked(this.#cid, sizeBytes)) return;
    const onAnswer = (urls: readonly string[]): void => {
      this.#book.set('other files', []);
      this.#book.set('tracker', urls);
      this.share.wake();
    };
    const named = this.#job.file.cid ?? this.#cid;
    const originPauseMs: TrackedFileOptions['originPauseMs'] = (isLeft) => this.#originPauseMs?.(isLeft) ?? 0;
    this.#tracked = tracker.track({ cid: this.#cid, named, sizeBytes, onAnswer, originPauseMs });
  }

  /** Hosts that do not reach the API begin at about the same time, so those that are known from other files may fetch this one too. */
  async #askTracker(): Promise<void> {
    await this.#tracked?.first();
    if (this.#tracked?.isAnswered === false) this.#book.set('other files', this.#options.tracker!.nearUrls);
  }

  #begin(file: HeldFile): void {
    const { growing } = this.#options;
    if (this.#tracked === undefined) {
      this.#track(file.table.sizeBytes);
      void this.#askTracker();
    }
    this.#tracked?.begin(file);
    this.#withdraw();
    this.#withdraw = growing.offer({ ...file, model: this.#job.model?.name ?? null });
  }

  /** The tracker may begin to say something of the file later. */
  #leases(): PieceLeases {
    const tracked = (): TrackedFile | undefined => this.#tracked;
    return {
      get state() {
        return tracked()?.state ?? 'away';
      },
      get getsNone() {
        return tracked()?.getsNone ?? false;
      },
      get isAlone() {
        return tracked()?.isAlone ?? false;
      },
      isFar: (url) => tracked()?.isFar(url) ?? false,
      mayAsk: (piece) => tracked()?.mayAsk(piece) ?? false,
      mayTake: (url, piece) => tracked()?.mayTake(url, piece) ?? true,
    };
  }

  #peerAt(url: string, asked: () => Promise<void>): Peer {
    const { http, siteKey, tracker, guard, onPeerRefused } = this.#options;
    const onAbsent = (piece: number): void => this.#tracked?.fault(url, piece, 'absent');
    const onSlow = (): void => this.#tracked?.fault(url, 0, 'unreachable');
    const token = (): string | undefined => tracker?.token;
    const { origin } = new URL(url);
    const isFar = (): boolean => this.isFar(origin);
    const mayTake = (piece: number): boolean => this.#tracked?.mayTake(url, piece) ?? true;
    const onRefused = (error: unknown): void => onPeerRefused(url, error);
    const told = { onAbsent, onSlow, onRefused };
    const options = { http, url, cid: this.#cid, siteKey, token, mayTake, isFar, paces: this.#paces, ...told };
    const file = new PeerFile(options, () => performance.now());
    return { file, source: guard(peerSource(http, file, asked)) };
  }
}
