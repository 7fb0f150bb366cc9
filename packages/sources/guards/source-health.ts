import { exponentialMs } from '#core/async/exponential-pause';
import { BoundedMap } from '#core/bounded-map';
import type { OriginalFailure, SourceFailureKind } from '#core/failure';
import { SourceError } from '#core/failure';
import { KIB, MINUTE_MS, SECOND_MS } from '#core/units';
import { AskedPauses } from './asked-pauses.ts';

/**
 * State of a circuit breaker:
 * - `closed`    the origin is asked
 * - `open`      it failed too often, or asked for a pause: it is not asked until its cooldown ends
 * - `half-open` one request probes whether it works again
 */
export type BreakerState = 'closed' | 'open' | 'half-open';

export interface HealthView {
  readonly origin: string;
  readonly state: BreakerState;
  /** Milliseconds until it may be asked again; 0 when it may be asked now. */
  readonly waitMs: number;
  /** Moving share of successful reads, 0 to 1; undefined before the first read. */
  readonly successRate: number | undefined;
  /** Moving average over the time in which bytes flowed; undefined before the first read. */
  readonly bytesPerSecond: number | undefined;
}

export interface SourceHealthOptions {
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  /** Failures in a row that open the breaker; default 5. */
  readonly failuresToOpen?: number;
  /** First cooldown of an open breaker; doubles up to ten minutes while probes fail; default 10 s. */
  readonly cooldownMs?: number;
  /** Most origins in memory; default 1,000. The least recently asked are evicted first. */
  readonly mostOrigins?: number;
}

interface OriginRecord {
  failuresInARow: number;
  /** How often the breaker opened in a row; 0 while it is closed. */
  opens: number;
  openUntilMs: number;
  probing: boolean;
  /** The first of the failures in a row. */
  firstFailure: OriginalFailure | undefined;
  /** Pauses that the origin asked for, or that follow corrupt bytes. */
  readonly cooldowns: Cooldowns;
  successRate: number | undefined;
  bytesPerSecond: number | undefined;
}

const WEIGHT = 0.2;
const MAX_COOLDOWN_MS = 10 * MINUTE_MS;
/** A response with this many bytes shows that the origin works, even if it failed. */
const PROGRESS_BYTES = 64 * KIB;
/** Failures of the origin itself, not of one file or of this process. */
const ABOUT_ORIGIN: ReadonlySet<SourceFailureKind> = new Set<SourceFailureKind>([
  'unreachable',
  'timed-out',
  'too-slow',
  'throttled',
  'server-error',
  'interrupted',
]);

/** The parts of a failure that matter for the health of an origin. */
export interface OriginFailure {
  readonly kind: SourceFailureKind;
  readonly message?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly bucket?: string | undefined;
  /** Set when only a connection beyond its limit was refused: the health of the origin does not change. */
  readonly connectionLimit?: number | undefined;
}

/** How long a transfer that meets a source without end of its switch is told to stay away. */
const DISABLED_MS = 10 * MINUTE_MS;

interface Switch {
  readonly note: string;
  /** Monotonic milliseconds; Infinity: until it is enabled. */
  readonly untilMs: number;
}

/** Health of every origin, shared by all transfers of a process. */
export class SourceHealth {
  /** Pauses that servers asked for; those of peers are not among them. */
  readonly asked: AskedPauses;
  #disabled: ReadonlyMap<string, Switch> = new Map();
  /** A paused origin is remembered longer than one that is not. */
  readonly #records: BoundedMap<OriginRecord>;
  readonly #now: () => number;
  readonly #failuresToOpen: number;
  readonly #cooldownMs: number;

  constructor(options: SourceHealthOptions = {}) {
    this.#now = options.now ?? (() => performance.now());
    this.asked = new AskedPauses(this.#now);
    this.#failuresToOpen = options.failuresToOpen ?? 5;
    this.#cooldownMs = options.cooldownMs ?? 10 * SECOND_MS;
    this.#records = new BoundedMap({
      capacity: options.mostOrigins ?? 1000,
      dropsFirst: (record) => this.#isIdle(record),
    });
  }

  /**
   * Admits a request, or throws. The request that a half-open origin admits is its probe and must report its outcome.
   *
   * @param bucket the rate limit that the request counts against; undefined when that is not known
   * @throws SourceError `throttled` or `unreachable` with `retryAfterMs` during a cooldown
   */
  admit(origin: string, source: string, bucket?: string): void {
    this.refusePaused(origin, source, bucket);
    const record = this.#touch(origin);
    if (record.opens === 0) return;
    const openMs = Math.ceil(record.openUntilMs - this.#now());
    if (openMs > 0 || record.probing)
      throw new SourceError('unreachable', source, breakerMessage(record), {
        retryAfterMs: Math.max(openMs, SECOND_MS),
        original: record.firstFailure,
      });
    record.probing = true;
  }

  /**
   * As `admit`, for a request that says nothing of how well the origin serves files: failures in a row do not matter to it.
   *
   * @throws SourceError `throttled` with `retryAfterMs` for an origin that is paused or disabled
   */
  refusePaused(origin: string, source: string, bucket?: string): void {
    const disabledMs = this.#disabledMs(origin);
    if (disabledMs > 0) {
      // Its kind lets a transfer go on with other sources at once, and a download without any wait until it is enabled.
      const message = `was disabled by an operator: ${this.#disabled.get(origin)!.note}`;
      throw new SourceError('throttled', source, message, { retryAfterMs: disabledMs });
    }
    const record = this.#touch(origin);
    const waitMs = this.waitMs(origin, bucket);
    if (waitMs > 0) {
      const original = record.cooldowns.causeOf(bucket);
      const why = original === undefined ? 'because it asked for that' : `because of ${shown(original)}`;
      throw new SourceError('throttled', source, `is paused, ${why}`, { retryAfterMs: waitMs, bucket, original });
    }
  }

  /**
   * Replaces what an operator disabled.
   *
   * @param disabled `forMs` undefined: until it is enabled
   */
  setDisabled(
    disabled: readonly { readonly origin: string; readonly note: string; readonly forMs: number | undefined }[],
  ): void {
    const now = this.#now();
    this.#disabled = new Map(
      disabled.map(({ origin, note, forMs = Infinity }) => [origin, { note, untilMs: now + forMs }]),
    );
  }

  /** @returns milliseconds until a disabled origin may be asked; 0 for one that is not disabled */
  #disabledMs(origin: string): number {
    const untilMs = this.#disabled.get(origin)?.untilMs ?? 0;
    return Math.max(0, Math.min(untilMs - this.#now(), DISABLED_MS));
  }

  succeeded(origin: string): void {
    const record = this.#touch(origin);
    close(record);
    record.successRate = average(record.successRate ?? 1, 1);
  }

  /**
   * @param error `retryAfterMs` begins a cooldown of the origin, or of the rate limit that the error names
   * @param bytes received before the response failed
   */
  failed(origin: string, error: OriginFailure, bytes = 0): void {
    const record = this.#touch(origin);
    const wasProbe = record.probing;
    record.probing = false;
    if (saysNothing(error)) return;
    record.successRate = average(record.successRate ?? 1, 0);
    const isAnswered = error.retryAfterMs !== undefined || !ABOUT_ORIGIN.has(error.kind) || bytes >= PROGRESS_BYTES;
    const cause = causeOf(error);
    if (error.retryAfterMs !== undefined) this.coolDown(origin, error.retryAfterMs, error.bucket, cause);
    countFailure(record, isAnswered ? undefined : cause);
    if (isAnswered) return wasProbe ? close(record) : undefined;
    if (!wasProbe && record.failuresInARow < this.#failuresToOpen) return;
    record.openUntilMs = this.#now() + exponentialMs(this.#cooldownMs, record.opens + 1, MAX_COOLDOWN_MS);
    record.opens += 1;
  }

  /**
   * Begins a cooldown of an origin, or of one of its rate limits.
   *
   * @param cause the failure that asked for it or that it follows
   */
  coolDown(origin: string, ms: number, bucket?: string, cause?: OriginalFailure): void {
    this.#touch(origin).cooldowns.begin(bucket, this.#now() + ms, cause);
  }

  /** @returns milliseconds until the cooldown of the origin, or of its rate limit, ends; 0 when it may be asked */
  waitMs(origin: string, bucket?: string): number {
    const untilMs = this.#records.peek(origin)?.cooldowns.untilMs(bucket) ?? 0;
    return Math.max(0, Math.ceil(untilMs - this.#now()));
  }

  /** As `waitMs`, of pauses alone that the origin asked this process or another host for. */
  pauseMs(origin: string, bucket?: string): number {
    const isAsked = this.#records.peek(origin)?.cooldowns.causeOf(bucket)?.kind === 'throttled';
    return isAsked ? this.waitMs(origin, bucket) : 0;
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
    const waitMs = Math.max(0, openMs, this.waitMs(origin), this.#disabledMs(origin));
    const state = waitMs > 0 ? 'open' : (record?.opens ?? 0) > 0 ? 'half-open' : 'closed';
    return { origin, state, waitMs, successRate: record?.successRate, bytesPerSecond: record?.bytesPerSecond };
  }

  snapshot(): HealthView[] {
    return [...this.#records.keys()].map((origin) => this.of(origin));
  }

  /** Returns the record of an origin and makes it the most recently asked. */
  #touch(origin: string): OriginRecord {
    return this.#records.get(origin) ?? this.#records.set(origin, newRecord());
  }

  #isIdle({ cooldowns, openUntilMs, probing }: OriginRecord): boolean {
    const now = this.#now();
    return cooldowns.expire(now) && openUntilMs <= now && !probing;
  }
}

/** We ended the request, or it was a connection beyond the limit of the origin. */
const saysNothing = ({ kind, connectionLimit }: OriginFailure): boolean =>
  kind === 'aborted' || connectionLimit !== undefined;

const shown = ({ kind, message }: OriginalFailure): string => (message === '' ? kind : `"${message}" (${kind})`);

function breakerMessage({ failuresInARow, firstFailure }: OriginRecord): string {
  const first = firstFailure === undefined ? '' : `, the first: ${shown(firstFailure)}`;
  return `is paused after ${failuresInARow} failures in a row${first}`;
}

const causeOf = ({ kind, message = kind }: OriginFailure): OriginalFailure => ({ kind, message });

/** @param cause undefined for a failure that shows that the origin works: it ends the row */
function countFailure(record: OriginRecord, cause: OriginalFailure | undefined): void {
  record.failuresInARow = cause === undefined ? 0 : record.failuresInARow + 1;
  record.firstFailure = cause === undefined ? undefined : (record.firstFailure ?? cause);
}

/** Closes the breaker of an origin that works. */
function close(record: OriginRecord): void {
  record.failuresInARow = 0;
  record.firstFailure = undefined;
  record.opens = 0;
  record.openUntilMs = 0;
  record.probing = false;
}

const average = (before: number, value: number): number => before + WEIGHT * (value - before);

const newRecord = (): OriginRecord => ({
  failuresInARow: 0,
  opens: 0,
  openUntilMs: 0,
  probing: false,
  firstFailure: undefined,
  cooldowns: new Cooldowns(),
  successRate: undefined,
  bytesPerSecond: undefined,
});

interface Cooldown {
  /** Monotonic milliseconds. */
  readonly untilMs: number;
  readonly cause: OriginalFailure | undefined;
}

/** Until when one origin, or one of its rate limits, is not asked. */
class Cooldowns {
  /** By bucket; the key '' stands for the whole origin. */
  readonly #until = new Map<string, Cooldown>();

  /** Begins or prolongs a cooldown; one that runs is never shortened. @param bucket undefined for the whole origin */
  begin(bucket: string | undefined, untilMs: number, cause: OriginalFailure | undefined): void {
    const key = bucket ?? '';
    const running = this.#until.get(key);
    if (running === undefined || running.untilMs < untilMs) this.#until.set(key, { untilMs, cause });
  }

  /**
   * @param bucket the rate limit that a request counts against; undefined when that is not known: then every limit may apply
   * @returns until when such a request has to wait; a moment in the past when it does not have to
   */
  untilMs(bucket: string | undefined): number {
    return this.#longest(bucket)?.untilMs ?? 0;
  }

  /** @returns why such a request has to wait; undefined when that is not known */
  causeOf(bucket: string | undefined): OriginalFailure | undefined {
    return this.#longest(bucket)?.cause;
  }

  #longest(bucket: string | undefined): Cooldown | undefined {
    let longest: Cooldown | undefined;
    for (const [key, cooldown] of this.#until) {
      if (key !== '' && bucket !== undefined && key !== bucket) continue;
      if (longest === undefined || longest.untilMs < cooldown.untilMs) longest = cooldown;
    }
    return longest;
  }

  /** Forgets cooldowns that are over. @returns true when none runs */
  expire(nowMs: number): boolean {
    for (const [key, { untilMs }] of this.#until) if (untilMs <= nowMs) this.#until.delete(key);
    return this.#until.size === 0;
  }
}
