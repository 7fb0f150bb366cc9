import { exponentialMs } from '#core/async/exponential-pause';
import { BoundedMap } from '#core/bounded-map';
import type { SourceFailureKind } from '#core/failure';
import { SourceError } from '#core/failure';
import { KIB, MINUTE_MS, SECOND_MS } from '#core/units';

/**
 * - `closed`    it is asked
 * - `open`      it failed too often, or asked us to stay away: nobody asks it for a while
 * - `half-open` one request may try whether it is back
 */
export type BreakerState = 'closed' | 'open' | 'half-open';

export interface HealthView {
  readonly origin: string;
  readonly state: BreakerState;
  /** Milliseconds until it may be asked again; 0 when it may. */
  readonly waitMs: number;
  /** Moving share of reads that succeeded, 0 to 1; undefined before the first. */
  readonly successRate: number | undefined;
  /** Moving average while bytes flowed; undefined before the first. */
  readonly bytesPerSecond: number | undefined;
}

export interface SourceHealthOptions {
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  /** Failures in a row that open the breaker; default 5. */
  readonly failuresToOpen?: number;
  /** First rest of an open breaker; doubles up to ten minutes while probes fail; default 10 s. */
  readonly restMs?: number;
  /** Origins that are remembered; default 1,000. Those asked longest ago are forgotten first. */
  readonly mostOrigins?: number;
}

interface OriginRecord {
  failuresInARow: number;
  /** How often the breaker opened in a row; 0 while it is closed. */
  opens: number;
  openUntilMs: number;
  probing: boolean;
  /** What the origin asked for, or what we keep after corrupt bytes. */
  readonly cooldowns: Cooldowns;
  successRate: number | undefined;
  bytesPerSecond: number | undefined;
}

const WEIGHT = 0.2;
const MAX_REST_MS = 10 * MINUTE_MS;
/** A response that brought this much shows that the origin works, however it ended (HT8). */
const PROGRESS_BYTES = 64 * KIB;
/** Failures that say something about the origin, not about one file or about us. */
const ABOUT_ORIGIN: ReadonlySet<SourceFailureKind> = new Set<SourceFailureKind>([
  'unreachable',
  'timed-out',
  'too-slow',
  'throttled',
  'server-error',
  'interrupted',
]);

/** What an origin's own failure, or the wait that it asked for, says about it. */
export interface OriginFailure {
  readonly kind: SourceFailureKind;
  readonly retryAfterMs?: number | undefined;
  readonly bucket?: string | undefined;
  /** Set where one connection more than it serves was refused: the origin is as healthy as before. */
  readonly connectionLimit?: number | undefined;
}

/** What this process knows about every origin, shared by all its transfers. */
export class SourceHealth {
  /** A paused origin is remembered longer than one that is not. */
  readonly #records: BoundedMap<OriginRecord>;
  readonly #now: () => number;
  readonly #failuresToOpen: number;
  readonly #restMs: number;

  constructor(options: SourceHealthOptions = {}) {
    this.#now = options.now ?? (() => performance.now());
    this.#failuresToOpen = options.failuresToOpen ?? 5;
    this.#restMs = options.restMs ?? 10 * SECOND_MS;
    this.#records = new BoundedMap({
      capacity: options.mostOrigins ?? 1000,
      dropsFirst: (record) => this.#isIdle(record),
    });
  }

  /**
   * Says whether the origin may be asked now; of a half-open one the caller becomes the probe and must report back.
   *
   * @param bucket which of its rate limits the request counts against; undefined when that is not known
   * @throws SourceError `throttled` or `unreachable` with `retryAfterMs` while the origin rests
   */
  admit(origin: string, source: string, bucket?: string): void {
    const record = this.#touch(origin);
    const waitMs = this.waitMs(origin, bucket);
    if (waitMs > 0)
      throw new SourceError('throttled', source, 'rests, as it asked or because of what it sent', {
        retryAfterMs: waitMs,
        bucket,
      });
    if (record.opens === 0) return;
    const openMs = Math.ceil(record.openUntilMs - this.#now());
    if (openMs > 0 || record.probing)
      throw new SourceError('unreachable', source, `rests after ${record.failuresInARow} failures in a row`, {
        retryAfterMs: Math.max(openMs, SECOND_MS),
      });
    record.probing = true;
  }

  succeeded(origin: string): void {
    const record = this.#touch(origin);
    close(record);
    record.successRate = average(record.successRate ?? 1, 1);
  }

  /**
   * @param error `retryAfterMs` keeps everybody away for as long, or everybody who needs the rate limit that it names
   * @param bytes what the response brought before it failed
   */
  failed(origin: string, error: OriginFailure, bytes = 0): void {
    const record = this.#touch(origin);
    const wasProbe = record.probing;
    record.probing = false;
    if (saysNothing(error)) return;
    record.successRate = average(record.successRate ?? 1, 0);
    const isAnswered = error.retryAfterMs !== undefined || !ABOUT_ORIGIN.has(error.kind) || bytes >= PROGRESS_BYTES;
    if (error.retryAfterMs !== undefined) this.rest(origin, error.retryAfterMs, error.bucket);
    record.failuresInARow = isAnswered ? 0 : record.failuresInARow + 1;
    if (isAnswered) return wasProbe ? close(record) : undefined;
    if (!wasProbe && record.failuresInARow < this.#failuresToOpen) return;
    record.openUntilMs = this.#now() + exponentialMs(this.#restMs, record.opens + 1, MAX_REST_MS);
    record.opens += 1;
  }

  /** Keeps everybody away from an origin, or from one of its rate limits. */
  rest(origin: string, ms: number, bucket?: string): void {
    this.#touch(origin).cooldowns.begin(bucket, this.#now() + ms);
  }

  /** @returns milliseconds for which the origin, or one of its rate limits, rests; 0 when it may be asked */
  waitMs(origin: string, bucket?: string): number {
    const untilMs = this.#records.peek(origin)?.cooldowns.untilMs(bucket) ?? 0;
    return Math.max(0, Math.ceil(untilMs - this.#now()));
  }

  /** @param ms time in which the bytes arrived */
  moved(origin: string, bytes: number, ms: number): void {
    if (bytes === 0 || ms <= 0) return;
    const record = this.#touch(origin);
    const rate = (bytes * 1000) / ms;
    record.bytesPerSecond = average(record.bytesPerSecond ?? rate, rate);
  }

  of(origin: string): HealthView {
    const record = this.#records.peek(origin);
    const openMs = record === undefined || record.opens === 0 ? 0 : Math.ceil(record.openUntilMs - this.#now());
    const waitMs = Math.max(0, openMs, this.waitMs(origin));
    const state = waitMs > 0 ? 'open' : (record?.opens ?? 0) > 0 ? 'half-open' : 'closed';
    return { origin, state, waitMs, successRate: record?.successRate, bytesPerSecond: record?.bytesPerSecond };
  }

  snapshot(): HealthView[] {
    return [...this.#records.keys()].map((origin) => this.of(origin));
  }

  /** The record of an origin, as the one that was asked last. */
  #touch(origin: string): OriginRecord {
    return this.#records.get(origin) ?? this.#records.set(origin, newRecord());
  }

  #isIdle({ cooldowns, openUntilMs, probing }: OriginRecord): boolean {
    const now = this.#now();
    return cooldowns.expire(now) && openUntilMs <= now && !probing;
  }
}

/** We ended it, or it was one connection more than the origin serves. */
const saysNothing = ({ kind, connectionLimit }: OriginFailure): boolean =>
  kind === 'aborted' || connectionLimit !== undefined;

/** The origin works: the breaker closes. */
function close(record: OriginRecord): void {
  record.failuresInARow = 0;
  record.opens = 0;
  record.openUntilMs = 0;
  record.probing = false;
}

/** Moving average. */
const average = (before: number, value: number): number => before + WEIGHT * (value - before);

const newRecord = (): OriginRecord => ({
  failuresInARow: 0,
  opens: 0,
  openUntilMs: 0,
  probing: false,
  cooldowns: new Cooldowns(),
  successRate: undefined,
  bytesPerSecond: undefined,
});

/** Until when one origin, or one of its rate limits, is not asked. */
class Cooldowns {
  /** Monotonic milliseconds by bucket; the key '' stands for the whole origin. */
  readonly #until = new Map<string, number>();

  /** Begins or prolongs a cooldown; one that runs is never shortened. @param bucket undefined for the whole origin */
  begin(bucket: string | undefined, untilMs: number): void {
    const key = bucket ?? '';
    this.#until.set(key, Math.max(untilMs, this.#until.get(key) ?? 0));
  }

  /**
   * @param bucket the rate limit that a request counts against; undefined when that is not known: then every limit may apply
   * @returns until when such a request has to wait; a moment in the past when it does not have to
   */
  untilMs(bucket: string | undefined): number {
    let latest = this.#until.get('') ?? 0;
    for (const [key, untilMs] of this.#until) {
      if (bucket === undefined || key === bucket) latest = Math.max(latest, untilMs);
    }
    return latest;
  }

  /** Forgets cooldowns that are over. @returns true when none runs */
  expire(nowMs: number): boolean {
    for (const [key, untilMs] of this.#until) if (untilMs <= nowMs) this.#until.delete(key);
    return this.#until.size === 0;
  }
}
