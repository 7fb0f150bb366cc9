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
  /** Moving share of reads that succeeded, 0 to 1; 1 before the first. */
  readonly successRate: number;
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
}

interface OriginRecord {
  failuresInARow: number;
  opens: number;
  restUntilMs: number;
  restReason: 'failures' | 'asked' | undefined;
  probing: boolean;
  successRate: number;
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

/** What this process knows about every origin, shared by all its transfers. */
export class SourceHealth {
  readonly #records = new Map<string, OriginRecord>();
  readonly #now: () => number;
  readonly #failuresToOpen: number;
  readonly #restMs: number;

  constructor(options: SourceHealthOptions = {}) {
    this.#now = options.now ?? (() => performance.now());
    this.#failuresToOpen = options.failuresToOpen ?? 5;
    this.#restMs = options.restMs ?? 10 * SECOND_MS;
  }

  /**
   * Says whether the origin may be asked now; of a half-open one the caller becomes the probe and must report back.
   *
   * @throws SourceError `throttled` or `unreachable` with `retryAfterMs` while the origin rests
   */
  admit(origin: string, source: string): void {
    const record = this.#of(origin);
    const waitMs = Math.ceil(record.restUntilMs - this.#now());
    if (record.restReason === 'asked' && waitMs > 0)
      throw new SourceError('throttled', source, 'rests, as it asked or because of what it sent', {
        retryAfterMs: waitMs,
      });
    if (record.restReason !== 'failures') return;
    if (waitMs > 0 || record.probing)
      throw new SourceError('unreachable', source, `rests after ${record.failuresInARow} failures in a row`, {
        retryAfterMs: Math.max(waitMs, SECOND_MS),
      });
    record.probing = true;
  }

  succeeded(origin: string): void {
    const record = this.#of(origin);
    record.failuresInARow = 0;
    record.opens = 0;
    record.probing = false;
    if (record.restReason === 'failures') record.restReason = undefined;
    record.successRate += WEIGHT * (1 - record.successRate);
  }

  /**
   * @param error `retryAfterMs` keeps everybody away for as long
   * @param bytes what the response brought before it failed
   */
  failed(
    origin: string,
    error: { readonly kind: SourceFailureKind; readonly retryAfterMs?: number | undefined },
    bytes = 0,
  ): void {
    const record = this.#of(origin);
    const wasProbe = record.probing;
    record.probing = false;
    if (error.kind === 'aborted') return;
    record.successRate -= WEIGHT * record.successRate;
    if (error.retryAfterMs !== undefined) return this.#rest(record, 'asked', error.retryAfterMs);
    if (!ABOUT_ORIGIN.has(error.kind) || bytes >= PROGRESS_BYTES) {
      record.failuresInARow = 0;
      if (wasProbe) record.restReason = undefined;
      return;
    }
    record.failuresInARow += 1;
    if (!wasProbe && record.failuresInARow < this.#failuresToOpen) return;
    this.#rest(record, 'failures', Math.min(MAX_REST_MS, this.#restMs * 2 ** record.opens));
    record.opens += 1;
  }

  /** @param ms time in which the bytes arrived */
  moved(origin: string, bytes: number, ms: number): void {
    if (bytes === 0 || ms <= 0) return;
    const record = this.#of(origin);
    const rate = (bytes * 1000) / ms;
    record.bytesPerSecond =
      record.bytesPerSecond === undefined ? rate : record.bytesPerSecond + WEIGHT * (rate - record.bytesPerSecond);
  }

  of(origin: string): HealthView {
    const record = this.#of(origin);
    const waitMs = record.restReason === undefined ? 0 : Math.max(0, Math.ceil(record.restUntilMs - this.#now()));
    const { successRate, bytesPerSecond } = record;
    return { origin, state: stateOf(record, waitMs), waitMs, successRate, bytesPerSecond };
  }

  snapshot(): HealthView[] {
    return [...this.#records.keys()].map((origin) => this.of(origin));
  }

  #rest(record: OriginRecord, reason: 'failures' | 'asked', ms: number): void {
    const untilMs = this.#now() + ms;
    if (record.restReason === 'asked' && record.restUntilMs > untilMs) return;
    record.restReason = reason;
    record.restUntilMs = untilMs;
  }

  #of(origin: string): OriginRecord {
    const known = this.#records.get(origin);
    if (known) return known;
    const made: OriginRecord = {
      failuresInARow: 0,
      opens: 0,
      restUntilMs: 0,
      restReason: undefined,
      probing: false,
      successRate: 1,
      bytesPerSecond: undefined,
    };
    this.#records.set(origin, made);
    return made;
  }
}

function stateOf(record: OriginRecord, waitMs: number): BreakerState {
  if (waitMs > 0) return 'open';
  return record.restReason === 'failures' ? 'half-open' : 'closed';
}
