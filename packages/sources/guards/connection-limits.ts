import { SourceError, type SourceFailureKind } from '#core/failure';
import { MINUTE_MS, SECOND_MS } from '#core/units';

/** A limit that was learnt is put to the test with one more connection after this long; the time doubles while that is refused. */
export const RELEARN_MS = MINUTE_MS;
export const LONGEST_RELEARN_MS = 16 * MINUTE_MS;
/** A server may count a connection for this long after the last byte that it sent on it. */
const RECENT_MS = SECOND_MS;
/** How long a refusal waits for what becomes of the other requests that were sent at the same time. */
const OTHERS_MS = SECOND_MS;
/** Failures before the first byte that a connection too many causes, and the statuses of others. */
const BUSY = new Set<SourceFailureKind>(['throttled', 'server-error', 'unreachable', 'timed-out']);
const REFUSALS = new Set([403, 421]);

interface OriginRecord {
  /** Requests that are not over. */
  readonly running: Set<WatchedRequest>;
  /** When a read, and when a block, was complete or not wanted any more last; monotonic milliseconds. */
  readonly endedAtMs: { read: number; block: number };
  /** Connections that it serves at once; undefined while no refusal has shown it. */
  limit: number | undefined;
  /** The source whose refusal showed the limit. */
  learntFrom: string | undefined;
  learntAtMs: number;
  relearnMs: number;
}

/**
 * How many connections every origin serves at once, as its refusals show, for all transfers of a process. An origin that delivers to
 * some connections and refuses a further one has a limit of connections: nothing is wrong with it, and fewer connections are served.
 */
export class ConnectionLimits {
  readonly #records = new Map<string, OriginRecord>();
  /** Monotonic milliseconds. */
  readonly now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** @returns connections to use at once, one more than was learnt when the limit is due for a test; Infinity when none is known */
  of(origin: string): number {
    const record = this.#records.get(origin);
    if (record?.limit === undefined) return Infinity;
    return record.limit + (isDue(record, this.now()) ? 1 : 0);
  }

  /** Of a read the head says that it is served, of a block only its end. */
  begin(origin: string, source: string, what: 'read' | 'block'): WatchedRequest {
    const record = this.#records.get(origin) ?? this.#make(origin);
    return new WatchedRequest(record, this.now, source, what);
  }

  #make(origin: string): OriginRecord {
    this.#forgetIdle();
    const made: OriginRecord = {
      running: new Set(),
      endedAtMs: { read: -Infinity, block: -Infinity },
      limit: undefined,
      learntFrom: undefined,
      learntAtMs: 0,
      relearnMs: RELEARN_MS,
    };
    this.#records.set(origin, made);
    return made;
  }

  /** Origins come and go for as long as the process lives. */
  #forgetIdle(): void {
    const now = this.now();
    for (const [origin, record] of this.#records) {
      const isKnown = record.limit !== undefined && now - record.learntAtMs < LONGEST_RELEARN_MS;
      if (record.running.size === 0 && !isKnown) this.#records.delete(origin);
    }
  }
}

/** One request while it runs, among the others to its origin. */
export class WatchedRequest {
  readonly #record: OriginRecord;
  readonly #now: () => number;
  readonly #source: string;
  readonly what: 'read' | 'block';
  readonly #onChange = new Set<() => void>();
  #isServed = false;
  #isRefused = false;
  /** The most others that were served while it ran. */
  #mostBeside: number;

  constructor(record: OriginRecord, now: () => number, source: string, what: 'read' | 'block') {
    this.#record = record;
    this.#now = now;
    this.#source = source;
    this.what = what;
    this.#mostBeside = servedIn(record);
    record.running.add(this);
  }

  get isServed(): boolean {
    return this.#isServed;
  }

  /** The origin serves the request. */
  served(): void {
    this.#isServed = true;
    const served = servedIn(this.#record);
    if (served > (this.#record.limit ?? Infinity)) {
      this.#learn(served, this.#record.learntFrom);
      this.#record.relearnMs = RELEARN_MS;
    }
    for (const other of this.#record.running) other.#besideOthers();
  }

  /** To be called once, whatever came of it. @param failed the source, not the receiver, ended it */
  end(failed: boolean): void {
    this.#record.running.delete(this);
    if (this.#isServed && !failed) this.#record.endedAtMs[this.what] = this.#now();
    for (const other of this.#record.running) other.#besideOthers();
  }

  /**
   * What the failure of the request means among the others.
   *
   * @param servedAtMs when a request for the same file was complete or not wanted any more last; undefined when none was served yet
   * @returns a SourceError with `connectionLimit` when the origin refused it as one connection too many, otherwise the same error
   */
  async explain(error: unknown, servedAtMs: number | undefined, signal: AbortSignal): Promise<unknown> {
    if (this.#isServed || !(error instanceof SourceError) || !mayBeLimit(error, this.what)) return error;
    this.#isRefused = true;
    for (const other of this.#record.running) other.#besideOthers();
    const beside = await this.#othersServed(signal);
    const isRecent = this.#hasJustEnded(servedAtMs);
    if (beside === 0 && !isRecent) return error;
    if (!isRecent && servedAtMs === undefined && this.#isAboutFile(beside)) return error;
    return this.#limitError(error, this.#refusedBeside(beside, isRecent, error.retryAfterMs ?? 0));
  }

  /** The server may still count a connection of the same file, or of any where it is known to have a limit. */
  #hasJustEnded(servedAtMs = -Infinity): boolean {
    return this.#now() - servedAtMs <= RECENT_MS || (this.#record.limit !== undefined && this.#isAnyRecent());
  }

  /** Refused beside fewer others than were served at once: a refusal of this file. What it seemed to show is forgotten. */
  #isAboutFile(beside: number): boolean {
    const { limit, learntFrom } = this.#record;
    if (limit === undefined || beside >= limit) return false;
    if (learntFrom === this.#source) this.#record.limit = undefined;
    return true;
  }

  /** @returns the limit that the refusal shows */
  #refusedBeside(beside: number, isRecent: boolean, retryAfterMs: number): number {
    const record = this.#record;
    const { limit = 0, learntFrom } = record;
    record.relearnMs = Math.max(nextRelearnMs(record, this.#now()), retryAfterMs);
    // A server that still counts the connection that has just ended has not shown that its limit is lower.
    const kept = this.what === 'read' && isRecent ? limit : 0;
    return this.#learn(Math.max(1, beside, kept), limit === 0 ? this.#source : learntFrom);
  }

  #limitError(cause: SourceError, connectionLimit: number): SourceError {
    const { source, httpStatus } = cause;
    const connections = connectionLimit === 1 ? 'one connection' : `${connectionLimit} connections`;
    const message = `${cause.message}, while it served ${connections} of ours`;
    return new SourceError('throttled', source, message, { cause, httpStatus, connectionLimit });
  }

  #learn(limit: number, from: string | undefined): number {
    this.#record.limit = limit;
    this.#record.learntFrom = from;
    this.#record.learntAtMs = this.#now();
    return limit;
  }

  /** Of requests that were sent together the refused ones may be answered first: they wait for the first that is served. */
  async #othersServed(signal: AbortSignal): Promise<number> {
    const until = AbortSignal.any([signal, AbortSignal.timeout(OTHERS_MS)]);
    while (this.#beside() === 0 && !until.aborted && this.#hasUndecided()) await this.#change(until);
    return this.#beside();
  }

  #beside(): number {
    if (this.what === 'read' || !this.#isAnyRecent()) return this.#mostBeside;
    return Math.max(this.#mostBeside, this.#record.running.size - 1);
  }

  #isAnyRecent(): boolean {
    return this.#now() - this.#record.endedAtMs[this.what] <= RECENT_MS;
  }

  #hasUndecided(): boolean {
    return [...this.#record.running].some((other) => other !== this && !other.#isServed && !other.#isRefused);
  }

  #besideOthers(): void {
    this.#mostBeside = Math.max(this.#mostBeside, servedIn(this.#record) - (this.#isServed ? 1 : 0));
    for (const tell of this.#onChange) tell();
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#onChange.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#onChange.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

const servedIn = ({ running }: OriginRecord): number =>
  [...running].reduce((sum, one) => sum + (one.isServed ? 1 : 0), 0);

const isDue = ({ learntAtMs, relearnMs }: OriginRecord, now: number): boolean => now - learntAtMs >= relearnMs;

/** The test of a limit that failed is repeated later each time. */
function nextRelearnMs(record: OriginRecord, now: number): number {
  if (record.limit === undefined) return RELEARN_MS;
  return isDue(record, now) ? Math.min(LONGEST_RELEARN_MS, record.relearnMs * 2) : record.relearnMs;
}

/**
 * Failures before the first byte that a limit of connections causes: a status, a connection that is refused or closed, or no answer
 * in time. A gateway says of single blocks that it does not have them, and with Retry-After that it counts requests (docs/rules/ipfs.md).
 */
function mayBeLimit(
  { kind, httpStatus = 0, namesReason, bucket, retryAfterMs }: SourceError,
  what: 'read' | 'block',
): boolean {
  if (namesReason || bucket !== undefined) return false;
  if (what === 'block' && (kind === 'missing' || retryAfterMs !== undefined)) return false;
  return BUSY.has(kind) || REFUSALS.has(httpStatus);
}
