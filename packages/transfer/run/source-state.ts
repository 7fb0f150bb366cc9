import type { SourceError, SourceFailureKind } from '#core/failure';
import type { Source } from '#core/source';
import type { Validator } from '#core/validator';
import { median } from '#core/span-plan';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import { SpeedMeter } from '../report/speed-meter.ts';
import type { SourceMode, SourceProgress, SourceReport } from '../report/transfer-options.ts';

/** §6 of the scheduler rules: this many bad leaves, or this share of enough leaves, and the source is left. */
const MAX_STRIKES = 3;
const MAX_BAD_SHARE = 0.02;
const LEAVES_FOR_SHARE = 50;
const SAMPLES_KEPT = (2 * MINUTE_MS) / SECOND_MS;

/** What a source that is asked block by block has shown to hold. */
interface Parts {
  /** Blocks that it had and that were right. */
  hits: number;
  misses: number;
  missesInARow: number;
  /** It gave something since it was last asked for what was set aside. */
  hasGiven: boolean;
  /** Nothing is set aside any more. */
  asksEach: boolean;
}

/** What one transfer knows of one source while it runs. */
export class SourceState {
  readonly source: Source;
  /** Index on the board and in the journal. */
  readonly index: number;
  readonly rankedBecause: string;
  mode: SourceMode = 'range';
  /** Tries that run now, and how many may. */
  lanes = 0;
  allowedLanes = 1;
  /** Rate before connections were added last; undefined before that. */
  rateBefore: number | undefined;
  /** Where the measurement of the present number of connections began. */
  rampWindow: { readonly since: number; readonly bytes: number } | undefined;
  /** When the connections that were added last have had time to begin. */
  settledAt = 0;
  /** How long the last head took. */
  latencyMs: number | undefined;
  isRamped = false;
  /** When more connections may be tried again after the origin refused one too many; undefined without such a refusal. */
  rampAgainAt: number | undefined;
  /** Refusals of that kind since it last gave a byte, while it had no connection. */
  refusalsInARow = 0;
  failuresInARow = 0;
  pausedUntil = 0;
  leftBecause: string | undefined;
  committedBytes = 0;
  wastedBytes = 0;
  badLeaves = 0;
  leavesSeen = 0;
  errors = 0;
  /** Version of what it sent last. */
  validator: Validator | undefined;
  /** It showed more than one version in this run. */
  hasChanged = false;
  /** Content coding that it named although none was asked for. */
  encoding: string | undefined;
  /** Its bytes were dropped because they may be a mixture, and it was asked for all of them in one answer. */
  wasReadAgain = false;
  /** How often everything was dropped because it could not go on with what was there. */
  restarts = 0;
  /** What it has, where it is asked block by block. */
  readonly parts: Parts = { hits: 0, misses: 0, missesInARow: 0, hasGiven: false, asksEach: false };
  readonly failures = new Map<SourceFailureKind, { message: string; count: number }>();
  readonly meter: SpeedMeter;
  #samples: number[] = [];
  #sampledAt: number;
  #slowSince: number | undefined;

  constructor(source: Source, index: number, rankedBecause: string, now: number) {
    this.source = source;
    this.index = index;
    this.rankedBecause = rankedBecause;
    this.meter = new SpeedMeter(now);
    this.#sampledAt = now;
  }

  get isLeft(): boolean {
    return this.leftBecause !== undefined;
  }

  maxLanes(configured: number): number {
    if (this.mode === 'stream') return 1;
    return Math.max(1, Math.min(configured, this.source.capabilities().maxConnections));
  }

  /** Rate of one connection; undefined before a measurement. */
  connectionRate(now: number): number | undefined {
    if (this.meter.totalBytes === 0) return undefined;
    return this.meter.rate(now) / Math.max(1, this.lanes);
  }

  recordFailure(error: SourceError): void {
    const known = this.failures.get(error.kind);
    this.failures.set(error.kind, { message: error.message, count: (known?.count ?? 0) + 1 });
    this.errors += 1;
  }

  leave(reason: string): void {
    this.leftBecause ??= reason;
  }

  /** All that the source gave turned out to be worth nothing. */
  wasteAll(): void {
    this.wastedBytes += this.committedBytes;
    this.committedBytes = 0;
  }

  /** A block came, and was right. */
  gave(): void {
    this.leavesSeen += 1;
    this.parts.hits += 1;
    this.parts.missesInARow = 0;
    this.parts.hasGiven = true;
  }

  /** @returns true when the source has sent so many bad leaves that it is not believed any more */
  strike(): boolean {
    this.badLeaves += 1;
    this.leavesSeen += 1;
    const share = this.badLeaves / this.leavesSeen;
    return this.badLeaves >= MAX_STRIKES || (this.leavesSeen >= LEAVES_FOR_SHARE && share > MAX_BAD_SHARE);
  }

  /** Once a second keeps the rate, for the rule that compares a source with its own past. */
  sample(now: number): void {
    this.meter.tick(now);
    if (now - this.#sampledAt < SECOND_MS || this.lanes === 0) return;
    this.#sampledAt = now;
    this.#samples.push(this.meter.rate(now));
    if (this.#samples.length > SAMPLES_KEPT) this.#samples.shift();
  }

  /** For how long the source has been below what `isTooSlow` says of its rate and its own median; milliseconds. */
  slowForMs(now: number, isTooSlow: (rate: number, ownMedian: number) => boolean): number {
    const slow = this.lanes > 0 && isTooSlow(this.meter.rate(now), median(this.#samples));
    if (!slow) this.#slowSince = undefined;
    else this.#slowSince ??= now;
    return this.#slowSince === undefined ? 0 : now - this.#slowSince;
  }

  progress(): SourceProgress {
    return { source: this.source.name, bytes: this.committedBytes, wastedBytes: this.wastedBytes };
  }

  report(): SourceReport {
    return {
      source: this.source.name,
      layer: this.source.layer,
      mode: this.mode,
      bytes: this.committedBytes,
      wastedBytes: this.wastedBytes,
      badLeaves: this.badLeaves,
      errors: this.errors,
      leftBecause: this.leftBecause,
      ...(this.encoding !== undefined && { encoding: this.encoding }),
    };
  }
}
