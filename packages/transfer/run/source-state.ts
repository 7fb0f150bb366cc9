import type { SourceError, SourceFailureKind } from '#core/failure';
import { nameOfLayer } from '#core/layer';
import type { Source } from '#core/source';
import type { Validator } from '#core/bytes/validator';
import { rank } from '#core/ranking';
import { median } from '#core/bytes/span-plan';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import { SpeedMeter } from '../report/speed-meter.ts';
import type { SourceMode, SourceProgress, SourceReport, TransferOptions } from '../report/transfer-options.ts';

/** After this many bad leaves, or this share of enough leaves, a source is not asked again. */
const MAX_STRIKES = 3;
const MAX_BAD_SHARE = 0.02;
const LEAVES_FOR_SHARE = 50;
/** Connections are counted a few times a second: one that ended in between is taken for this long. */
const LEAST_BUSY_MS = 200;
const SAMPLES_KEPT = (2 * MINUTE_MS) / SECOND_MS;

/** What is known of the blocks that a source has. */
interface Parts {
  /** Blocks that it sent and that were correct. */
  hits: number;
  misses: number;
  missesInARow: number;
  /** It sent a block since its set-aside blocks were last offered to it again. */
  hasGiven: boolean;
  /** No block is set aside for it any more. */
  asksEach: boolean;
}

/** What one transfer knows of one source while it runs. */
export class SourceState {
  readonly source: Source;
  /** Index on the board and in the journal. */
  readonly index: number;
  readonly rankedBecause: string;
  mode: SourceMode = 'range';
  /** Tries that run now, and the most that may run; in block mode several blocks share one try. */
  connections = 0;
  allowedConnections = 1;
  /** Rate before connections were added last; undefined before that. */
  rateBefore: number | undefined;
  /** Start of the measurement of the current number of connections. */
  rampWindow: { readonly since: number; readonly bytes: number } | undefined;
  /** From when on the connections that were added last are measured. */
  settledAt = 0;
  /** Time to the last response head. */
  latencyMs: number | undefined;
  isRamped = false;
  /** When more connections may be tried again after the origin refused one too many; undefined without such a refusal. */
  rampAgainAt: number | undefined;
  /** Such refusals since the last byte, while it had no other connection. */
  refusalsInARow = 0;
  failuresInARow = 0;
  pausedUntil = 0;
  leftBecause: string | undefined;
  committedBytes = 0;
  wastedBytes = 0;
  badLeaves = 0;
  leavesSeen = 0;
  errors = 0;
  /** Version of the bytes that it sent last. */
  validator: Validator | undefined;
  /** It sent bytes of more than one version in this run. */
  hasChanged = false;
  /** Content coding that it named although none was asked for. */
  encoding: string | undefined;
  /** Its bytes were dropped because they may mix versions, and the whole file was requested in one response. */
  wasReadAgain = false;
  /** How often all bytes were dropped because the source could not continue them. */
  restarts = 0;
  readonly parts: Parts = { hits: 0, misses: 0, missesInARow: 0, hasGiven: false, asksEach: false };
  /** Of each kind the first message. */
  readonly failures = new Map<SourceFailureKind, { message: string; count: number }>();
  readonly meter: SpeedMeter;
  #samples: number[] = [];
  /** Sum of the times of all connections. */
  #busyMs = 0;
  #tickedAt: number;
  #sampledAt: number;
  #slowSince: number | undefined;

  constructor(source: Source, index: number, rankedBecause: string, now: number) {
    this.source = source;
    this.index = index;
    this.rankedBecause = rankedBecause;
    this.meter = new SpeedMeter(now);
    this.#sampledAt = this.#tickedAt = now;
  }

  get isLeft(): boolean {
    return this.leftBecause !== undefined;
  }

  maxConnections(configured: number): number {
    if (this.mode === 'stream') return 1;
    return Math.max(1, Math.min(configured, this.source.capabilities().maxConnections));
  }

  /** Rate of one connection; undefined before a measurement. */
  connectionRate(now: number): number | undefined {
    if (this.meter.totalBytes === 0) return undefined;
    return this.meter.rate(now) / Math.max(1, this.connections);
  }

  /** Average rate of one connection while there was one; undefined before a measurement. A pause does not lower it. */
  get usualRate(): number | undefined {
    const { totalBytes } = this.meter;
    return totalBytes === 0 ? undefined : (totalBytes * SECOND_MS) / Math.max(LEAST_BUSY_MS, this.#busyMs);
  }

  recordFailure(error: SourceError): void {
    const known = this.failures.get(error.reasonKind);
    this.failures.set(error.reasonKind, { message: known?.message ?? error.message, count: (known?.count ?? 0) + 1 });
    this.errors += 1;
  }

  leave(reason: string): void {
    this.leftBecause ??= reason;
  }

  /** Counts all bytes of the source as wasted. */
  wasteAll(): void {
    this.wastedBytes += this.committedBytes;
    this.committedBytes = 0;
  }

  /** A correct block arrived. */
  gave(): void {
    this.leavesSeen += 1;
    this.parts.hits += 1;
    this.parts.missesInARow = 0;
    this.parts.hasGiven = true;
  }

  /** Counts a bad leaf. @returns true when the source has sent too many of them */
  strike(): boolean {
    this.badLeaves += 1;
    this.leavesSeen += 1;
    const share = this.badLeaves / this.leavesSeen;
    return this.badLeaves >= MAX_STRIKES || (this.leavesSeen >= LEAVES_FOR_SHARE && share > MAX_BAD_SHARE);
  }

  /** Records the rate once a second, for the rule that compares a source with its own median. */
  sample(now: number): void {
    this.meter.tick(now);
    this.#busyMs += (now - this.#tickedAt) * this.connections;
    this.#tickedAt = now;
    if (now - this.#sampledAt < SECOND_MS || this.connections === 0) return;
    this.#sampledAt = now;
    this.#samples.push(this.meter.rate(now));
    if (this.#samples.length > SAMPLES_KEPT) this.#samples.shift();
  }

  /** Milliseconds for which `isTooSlow` has been true of its rate and its own median. */
  slowForMs(now: number, isTooSlow: (rate: number, ownMedian: number) => boolean): number {
    const slow = this.connections > 0 && isTooSlow(this.meter.rate(now), median(this.#samples));
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
      layer: nameOfLayer(this.source.layer),
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

/** The sources of the wanted layers, layer by layer, each layer ranked. */
export function rankedStates(
  { sources, layers, health, setPlace }: Pick<TransferOptions, 'sources' | 'layers' | 'health' | 'setPlace'>,
  now: number,
): SourceState[] {
  const ordered = layers.flatMap((layer) => {
    const own = sources.filter((source) => source.layer === layer);
    const known = (source: Source) => ({ health: health?.(source), setPlace: setPlace?.(source) });
    const candidates = own.map((source) => ({ name: source.name, ...known(source) }));
    return rank(candidates).map(({ configuredIndex, why }) => ({ source: own[configuredIndex]!, why }));
  });
  return ordered.map(({ source, why }, index) => new SourceState(source, index, why, now));
}

/** Most sources of one transfer: the board and the journal have room for no more. */
const MOST_SOURCES = 4096;

/** Adds peers that joined while the transfer runs, at the end, so that the numbers of the others stay. */
export function addJoined(states: SourceState[], sources: readonly Source[], now: number): void {
  if (sources.length === 0) return;
  const known = new Set(states.map(({ source }) => source.name));
  for (const source of sources) {
    if (known.has(source.name) || states.length >= MOST_SOURCES) continue;
    states.push(new SourceState(source, states.length, 'it joined meanwhile', now));
  }
}
