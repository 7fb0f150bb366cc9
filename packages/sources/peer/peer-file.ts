import { PieceMap } from '#core/swarm/piece-map';
import { SourceError } from '#core/failure';
import { MIB, MINUTE_MS, SECOND_MS } from '#core/units';
import { statusError } from '#http/http-error';
import type { Http } from '#http/pool';
import type { HttpRequest, HttpResponse } from '#http/request';
import { PEER_HEADER } from '#http/peer-token';
import { signForSite, SITE_HEADER } from '#http/site-signature';
import { requestBytes } from '#http/small-request';
import type { PeerPace } from './peer-pace.ts';
import { lastLines } from './last-line.ts';

export interface PeerOptions {
  readonly http: Http;
  /** `http://host:port` of a worker. */
  readonly url: string;
  /** CID of the file: version 1, base32. */
  readonly cid: string;
  /** The secret that the hosts of the site share. */
  readonly siteKey?: string | undefined;
  /** A token of the API that names the file; undefined while there is none. */
  readonly token?: (() => string | undefined) | undefined;
  /** Whether this host may take a piece from it now; undefined: each one. */
  readonly mayTake?: ((piece: number) => boolean) | undefined;
  /** Whether it is of another site. */
  readonly isFar?: (() => boolean) | undefined;
  /** Called when the peer refuses a piece that it says it has. */
  readonly onAbsent?: ((piece: number) => void) | undefined;
  /** Of the peers of its site, and of other sites, whose links are slower than a local network. Undefined: a slow one is not left. */
  readonly paces?: { readonly near: PeerPace; readonly far: PeerPace } | undefined;
  /** Called with what a question for its pieces failed with. */
  readonly onRefused?: ((error: unknown) => void) | undefined;
  /** Called when the peer gives far less than the others, and is not asked for a while. */
  readonly onSlow?: (() => void) | undefined;
}

/** A host that does not answer a small question by then is late. */
const TIMEOUTS = { headersMs: 3 * SECOND_MS, stallMs: 3 * SECOND_MS };
/** A peer that is followed sends a short line each second. */
const FOLLOW_TIMEOUTS = { ...TIMEOUTS, lowSpeedBytesPerSecond: 0 };
/** Asks a peer to go on telling its pieces, with a line at most once in so many milliseconds. */
const FOLLOW_HEADER = 'swarm-follow';
const NEAR_MS = 50;
const FAR_MS = SECOND_MS;
/** Longest line: a map of the most pieces that a file has, and a number. */
const MOST_LINE_CHARS = 4096;
/** Longest answer: twice what a peer sends in the minute after which it ends. */
const MOST_FOLLOW_BYTES = 8 * MIB;
/** A host that is only late so often in a row is away; one late answer may be that of a busy host. */
const AWAY_AFTER = 2;
/** A peer far slower than the others counts as one without the file for so long. */
const AVOIDED_MS = MINUTE_MS;

/** What is known of one file at one peer: learned from each of its answers. Nothing of it is proven, and bytes are verified. */
export class PeerFile {
  readonly url: string;
  readonly cid: string;
  readonly name: string;
  /** As the peer names itself; undefined before its first answer. */
  id: string | undefined;
  /** Monotonic time at which it was last seen to have more than before. */
  grewAt = 0;
  /** Uploads that run or wait there, as it said last. */
  load = 0;
  readonly #options: PeerOptions;
  readonly #now: () => number;
  /** Reads that still wait for an answer. */
  readonly #waiting = new Set<AbortController>();
  #map: PieceMap | undefined;
  #text: string | undefined;
  #sizeBytes = 0;
  /** Questions since the last answer. */
  #late = 0;
  #avoidedUntil = -Infinity;

  /** @param now monotonic milliseconds */
  constructor(options: PeerOptions, now: () => number) {
    this.#options = options;
    this.#now = now;
    this.url = options.url.replace(/\/+$/, '');
    this.cid = options.cid;
    this.name = `peer ${this.url.replace(/^https?:\/\//, '')}`;
  }

  /** Pieces that the peer has; undefined while it does not have the file, or is away. */
  get map(): PieceMap | undefined {
    return this.#now() < this.#avoidedUntil ? undefined : this.#map;
  }

  get pace(): PeerPace | undefined {
    return this.#options.paces?.[this.#isFar ? 'far' : 'near'];
  }

  /** How often it has to tell its pieces at most; milliseconds. What hosts of other sites tell goes over the link that pieces need. */
  get toldEveryMs(): number {
    return this.#isFar ? FAR_MS : NEAR_MS;
  }

  get #isFar(): boolean {
    return this.#options.isFar?.() === true;
  }

  /** Whether it has the piece at this position of the file, and this host may take it. */
  offers(position: number): boolean {
    const { map } = this;
    const piece = map?.pieceAt(position);
    return piece !== undefined && map!.has(piece) && (this.#options.mayTake?.(piece) ?? true);
  }

  /** @param path without a query @returns the request for it */
  at(path: string): { readonly url: string; readonly headers: Record<string, string> } {
    const { siteKey, http, token } = this.#options;
    const shown = token?.();
    return {
      url: `${this.url}${path}`,
      headers: {
        accept: '*/*',
        ...(siteKey !== undefined && { [SITE_HEADER]: signForSite(siteKey, 'GET', path, http.now()) }),
        ...(shown !== undefined && { [PEER_HEADER]: shown }),
      },
    };
  }

  /** Asks which pieces the peer has now. @throws SourceError when it is away, or refuses to say */
  ask(signal: AbortSignal): Promise<void> {
    return this.#asking(async (ask) => {
      const { response } = await requestBytes(this.#options.http, ask, 4096, signal);
      this.#answered(response);
      // A worker names itself also where it does not have the file; any other server may answer so to any path.
      if (response.status === 204 || (response.status === 404 && response.headers['swarm-peer'] !== undefined)) return;
      if (response.status === 404)
        throw new SourceError('bad-response', this.name, 'answered 404, and not as a worker');
      throw statusError(this.name, response.status, response.headers, this.#options.http.now());
    });
  }

  /**
   * Follows the pieces of a file that the peer is fetching, until its answer ends; a peer of an older release answers once.
   *
   * @param onMore called after each line by which the peer has more than before, or is less busy
   * @throws SourceError when it is away, or refuses to say
   */
  follow(signal: AbortSignal, onMore: () => void): Promise<void> {
    return this.#asking(async ({ headers, ...ask }) => {
      const { http } = this.#options;
      const lastLine = lastLines(MOST_LINE_CHARS);
      const head = (response: HttpResponse): boolean => {
        this.#answered(response);
        return response.status === 200;
      };
      let bytes = 0;
      const data = (chunk: Uint8Array): void => {
        bytes += chunk.length;
        if (bytes > MOST_FOLLOW_BYTES)
          throw new SourceError('bad-response', this.name, 'it tells its pieces without end');
        const line = lastLine(chunk);
        if (line !== undefined && this.#learnLine(line)) onMore();
      };
      const request = {
        ...ask,
        headers: { ...headers, [FOLLOW_HEADER]: String(this.toldEveryMs) },
        timeouts: FOLLOW_TIMEOUTS,
      };
      const { status, headers: said } = await http.request(request, { head, data }, signal);
      if (![200, 204, 404].includes(status)) throw statusError(this.name, status, said, http.now());
    });
  }

  async #asking(work: (ask: HttpRequest) => Promise<void>): Promise<void> {
    try {
      const to = this.at(`/swarm/${this.cid}/have`);
      await work({ ...to, source: this.name, trusted: true, maxRedirects: 0, timeouts: TIMEOUTS });
    } catch (error) {
      this.#late += 1;
      const mayBeBusy = error instanceof SourceError && error.kind === 'timed-out' && this.#late < AWAY_AFTER;
      if (!mayBeBusy) {
        this.lost();
        this.#options.onRefused?.(error);
      }
      throw error;
    }
  }

  /** Takes what an answer says of the pieces. */
  learn(headers: Readonly<Record<string, string>>): void {
    const { 'swarm-have': text, 'swarm-size': size, 'swarm-peer': id, 'swarm-load': load } = headers;
    this.id = id ?? this.id;
    this.#learnLoad(load);
    if (text === undefined || !/^\d{1,16}$/.test(size ?? '')) return this.lost();
    this.#sizeBytes = Number(size);
    this.#learnMap(text);
  }

  #answered({ headers }: HttpResponse): void {
    this.#late = 0;
    this.learn(headers);
  }

  /** @returns whether the peer has more than before, or is less busy */
  #learnLine(line: string): boolean {
    const [text = '', load] = line.split(' ');
    const before = { grewAt: this.grewAt, load: this.load };
    this.#learnLoad(load);
    this.#learnMap(text);
    return this.grewAt !== before.grewAt || this.load < before.load;
  }

  #learnLoad(text: string | undefined): void {
    if (/^\d{1,4}$/.test(text ?? '')) this.load = Number(text);
  }

  #learnMap(text: string): void {
    if (text === this.#text) return;
    const map = PieceMap.parse(text, this.#sizeBytes);
    if (map === undefined) return this.lost();
    if (map.heldCount !== this.#map?.heldCount) this.grewAt = this.#now();
    [this.#map, this.#text] = [map, text];
  }

  /** It does not have the file, or is away: reads that it has not answered yet end. */
  lost(): void {
    [this.#map, this.#text] = [undefined, undefined];
    for (const read of this.#waiting) read.abort();
  }

  /**
   * Runs a read that waits at the peer for its turn only as long as the peer answers small questions.
   *
   * @param read gets a function to call when its answer begins
   * @throws SourceError `unreachable` when the peer is lost before that
   */
  async whileThere(
    signal: AbortSignal,
    read: (signal: AbortSignal, begun: () => void) => Promise<void>,
  ): Promise<void> {
    const lost = new AbortController();
    this.#waiting.add(lost);
    const begun = (): void => void this.#waiting.delete(lost);
    try {
      await read(AbortSignal.any([signal, lost.signal]), begun);
    } catch (cause) {
      if (signal.aborted || !lost.signal.aborted) throw cause;
      throw new SourceError('unreachable', this.name, 'it does not answer any more', { cause });
    } finally {
      begun();
    }
  }

  /** It gives far less than the others. */
  tooSlow(): void {
    this.#avoidedUntil = this.#now() + AVOIDED_MS;
    for (const read of this.#waiting) read.abort();
    this.#options.onSlow?.();
  }

  /** The peer refused a part of the file. */
  refused(position: number): void {
    const piece = this.#map?.pieceAt(position);
    if (piece !== undefined && this.#map!.has(piece)) this.#options.onAbsent?.(piece);
  }

  /** @throws SourceError `missing` while it does not have the file */
  refuseAbsent(): void {
    if (this.#map === undefined) throw new SourceError('missing', this.name, 'it does not have the file');
  }
}
