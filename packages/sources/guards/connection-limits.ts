import { SourceError, type SourceFailureKind } from '#core/failure';
import { MINUTE_MS, SECOND_MS } from '#core/units';

/** A learnt limit is tested with one more connection after this long; the time doubles while that is refused. */
export const RELEARN_MS = MINUTE_MS;
export const LONGEST_RELEARN_MS = 16 * MINUTE_MS;
/** A server may count a connection for this long after its last byte. */
const RECENT_MS = SECOND_MS;
/** How long a refusal waits for the outcome of the other requests that were sent at the same time. */
const OTHERS_MS = SECOND_MS;
/** Failures before the first byte that a limit of connections causes, and statuses of other kinds that it causes. */
const BUSY = new Set<SourceFailureKind>(['throttled', 'server-error', 'unreachable', 'timed-out']);
const REFUSALS = new Set([403, 421]);

interface OriginRecord {
  /** Requests that have not ended. */
  readonly running: Set<WatchedRequest>;
  /** When the last read, and the last block, ended without a failure; monotonic milliseconds. */
  readonly endedAtMs: { read: number; block: number };
  /** Connections that the origin serves at once; undefined until a refusal shows it. */
  limit: number | undefined;
  /** The source whose refusal showed the limit. */
  learntFrom: string | undefined;
  learntAtMs: number;
  relearnMs: number;
}

/**
 * How many connections each origin serves at once, learnt from its refusals, for all transfers of a process. An origin that serves some
 * connections and refuses a further one has a limit of connections: it is healthy, and fewer connections are served.
 */
export class ConnectionLimits {
  readonly #records = new Map<string, OriginRecord>();
  /** Monotonic milliseconds. */
  readonly now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** @returns connections to use at once; one more than the learnt limit when that is due for a test; Infinity without a limit */
  of(origin: string): number {
    const record = this.#records.get(origin);
    if (record?.limit === undefined) return Infinity;
    return record.limit + (isDue(record, this.now()) ? 1 : 0);
  }

  /** Begins to watch a request: a read is served when its head arrives, a block when it is complete. */
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

  /** Bounds the memory of a process that asks many origins. */
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
  /** The most other requests that were served at once while it ran. */
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

  /** Call it once at the end of the request. @param failed the source, not the receiver, ended it */
  end(failed: boolean): void {
    this.#record.running.delete(this);
    if (this.#isServed && !failed) this.#record.endedAtMs[this.what] = this.#now();
    for (const other of this.#record.running) other.#besideOthers();
  }

  /**
   * Explains the failure of the request from the outcome of the others.
   *
   * @param servedAtMs when a request for the same file last ended without a failure; undefined when none was served yet
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

  /** The server may still count a connection that has ended: of the same file, or of any file if a limit is known. */
  #hasJustEnded(servedAtMs = -Infinity): boolean {
    return this.#now() - servedAtMs <= RECENT_MS || (this.#record.limit !== undefined && this.#isAnyRecent());
  }

  /** Refused beside fewer requests than the limit: the refusal is about this file. A limit that this source showed is forgotten. */
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

  /** Of requests that were sent together, refused ones may be answered first: waits for the first that is served. */
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

/** After a failed test of the limit, the next test is later. */
function nextRelearnMs(record: OriginRecord, now: number): number {
  if (record.limit === undefined) return RELEARN_MS;
  return isDue(record, now) ? Math.min(LONGEST_RELEARN_MS, record.relearnMs * 2) : record.relearnMs;
}

/**
 * Whether a failure before the first byte may be caused by a limit of connections: a status, a refused or closed connection, or no answer in
 * time. For a block, `missing` means that the gateway does not have it, and Retry-After that it limits requests (docs/rules/ipfs.md).
 */
function mayBeLimit(
  { kind, httpStatus = 0, namesReason, bucket, retryAfterMs }: SourceError,
  what: 'read' | 'block',
): boolean {
  if (namesReason || bucket !== undefined) return false;
  if (what === 'block' && (kind === 'missing' || retryAfterMs !== undefined)) return false;
  return BUSY.has(kind) || REFUSALS.has(httpStatus);
}
