import { ExhaustedError, SourceError, type SourceFailure } from '#core/failure';
import type { Layer } from '#core/layer';
import type { Logger } from '#core/logger';
import { backoffMs, CORRUPT_REST_MS, decide, mayPass, PAGE_REST_MS, type Budget, type Decision } from '#core/policy';
import type { ByteSink, ResponseHead } from '#core/source';
import {
  isLaggard,
  isTooSlow,
  median,
  MIN_SPAN_BYTES,
  spanBytesFor,
  TOO_SLOW_MS,
  wantsConnection,
} from '#core/span-plan';
import { SECOND_MS } from '#core/units';
import { leafCid } from '#content/leaf-block';
import { SpanEnded } from './leaf-cutter.ts';
import { LeafError } from './leaf-error.ts';
import type { SourceState } from './source-state.ts';
import { SourceTry, type Ground, type TryContext } from './source-try.ts';
import type { Claim } from './span-board.ts';
import type { Throttle } from './throttle.ts';
import type { TryRecord } from './transfer-options.ts';

const TICK_MS = 200;
/** Different sources that must have sent a bad leaf before the leaf itself is given up. */
const SOURCES_AGAINST_A_LEAF = 3;

export interface CrewOptions {
  /** Ranked, of all layers, in the order of the layers. */
  readonly states: readonly SourceState[];
  readonly layers: readonly Layer[];
  readonly joinsAllLayers: boolean;
  readonly budgets: Readonly<Record<Layer, Budget>>;
  readonly connections: number;
  readonly throttlesOf: (state: SourceState) => readonly Throttle[];
  /** False when nothing will ever prove the bytes: then they come from one source, in one stream. */
  readonly isProvable: boolean;
  /** Changes of source because of corrupt bytes, by layer (RE6); outlives the crew. */
  readonly corruptionSwitches: Map<Layer, number>;
  /** What is fetched, for messages. */
  readonly what: string;
  readonly logger: Logger;
  readonly now: () => number;
  readonly random: () => number;
  /** Makes board and writer once the size is known; undefined size: the source does not say. */
  lay(sizeBytes: number | undefined, state: SourceState): Promise<Ground | undefined>;
  /** Takes a response whose length nobody knows. */
  readonly unsized: ByteSink;
  onHead(state: SourceState, head: ResponseHead): void;
  onTry(record: TryRecord): void;
  onTick(): void;
}

interface RunningTry {
  readonly run: SourceTry;
  settled: Promise<void>;
}

/**
 * Sends the sources of a transfer to work until every unit is on the disk: who is asked next, for what, how many
 * at once, and what follows a failure. All decisions are made in `#pump`, which runs whenever something changed.
 */
export class Crew {
  readonly #options: CrewOptions;
  readonly #running = new Set<RunningTry>();
  #joinedLayers: number;
  #ground: Ground | undefined;
  #isUnsizedDone = false;
  #isOver = false;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #wake: NodeJS.Timeout | undefined;

  constructor(options: CrewOptions, ground: Ground | undefined) {
    this.#options = options;
    this.#ground = ground;
    this.#joinedLayers = options.joinsAllLayers ? options.layers.length : 1;
  }

  get activeSources(): string[] {
    return [...new Set([...this.#running].map(({ run }) => run.state.source.name))];
  }

  /**
   * Resolves when the board is complete, or a response of unknown length has ended. No try is running any more
   * and nothing is on its way to the disk when it settles.
   *
   * @throws ExhaustedError, VerifyError, StorageError, or the reason of the signal
   */
  async run(signal: AbortSignal | undefined): Promise<void> {
    const over = new Promise<void>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const stop = (): void => this.fail(signal?.reason);
    signal?.addEventListener('abort', stop, { once: true });
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    try {
      this.#isOver = false;
      if (signal?.aborted) stop();
      else this.#pump();
      await over;
    } finally {
      clearInterval(this.#timer);
      clearTimeout(this.#wake);
      signal?.removeEventListener('abort', stop);
      await this.#standDown();
    }
  }

  /** Ends the run with an error. No further byte is taken. */
  fail(error: unknown): void {
    this.#isOver = true;
    this.#dismiss();
    this.#reject(error);
  }

  /** Looks whether the work is done; to be called when units were committed. */
  committed(): void {
    if (!this.#isOver && this.#ground?.board.isComplete === true) this.#end();
  }

  #end(): void {
    this.#isOver = true;
    this.#resolve();
  }

  async #standDown(): Promise<void> {
    this.#dismiss();
    await Promise.all([...this.#running].map(({ settled }) => settled));
    await this.#ground?.writer.idle();
  }

  #dismiss(): void {
    for (const { run } of this.#running) run.controller.abort(new SpanEnded());
  }

  #pump(): void {
    if (this.#isOver) return;
    if (this.#ground?.board.isComplete === true || this.#isUnsizedDone) return this.#end();
    do {
      for (const state of this.#joined()) this.#employ(state);
    } while (this.#running.size === 0 && !this.#isAnyoneExpected() && this.#joinNextLayer());
    if (this.#running.size > 0) return;
    if (this.#isAnyoneExpected()) this.#wakeWhenPausesEnd();
    else if (!this.#isAwaitingDisk()) this.fail(this.#exhausted());
  }

  /** Nobody works and somebody will: sleep exactly as long as that takes. */
  #wakeWhenPausesEnd(): void {
    const soonest = Math.min(...this.#joined().map((state) => state.pausedUntil));
    clearTimeout(this.#wake);
    this.#wake = setTimeout(() => this.#pump(), Math.max(1, Math.ceil(soonest - this.#options.now())));
  }

  #joined(): SourceState[] {
    const layers = this.#options.layers.slice(0, this.#joinedLayers);
    return this.#options.states.filter((state) => !state.isLeft && layers.includes(state.source.layer));
  }

  #joinNextLayer(): boolean {
    if (this.#joinedLayers >= this.#options.layers.length) return false;
    this.#joinedLayers += 1;
    return true;
  }

  /** A source is paused and will have something to do afterwards. */
  #isAnyoneExpected(): boolean {
    return this.#joined().some((state) => this.#ground === undefined || this.#ground.board.hasWorkFor(state.index));
  }

  /** Every unit that is missing on the board is on its way to the disk. */
  #isAwaitingDisk(): boolean {
    return this.#ground !== undefined && this.#ground.board.freeBytes === 0;
  }

  /** Starts as many tries at the source as it may have and there is work for. */
  #employ(state: SourceState): void {
    while (!state.isLeft && state.pausedUntil <= this.#options.now() && state.lanes < this.#lanesFor(state)) {
      if (this.#ground === undefined) {
        if (this.#running.size > 0) return;
        this.#start(state, undefined);
      } else {
        const claim = this.#workFor(state, this.#ground);
        if (claim === undefined) return;
        this.#start(state, claim);
      }
    }
  }

  #lanesFor(state: SourceState): number {
    return Math.min(state.allowedLanes, state.maxLanes(this.#options.connections));
  }

  #workFor(state: SourceState, ground: Ground): Claim | undefined {
    const { board } = ground;
    if (!this.#options.isProvable) return this.#running.size > 0 ? undefined : board.claim(state.index, Infinity);
    if (state.mode === 'stream' && !this.#isLastResort(state)) return undefined;
    const now = this.#options.now();
    const others = this.#joined().filter((one) => one.pausedUntil <= now);
    const connections = others.reduce((sum, one) => sum + Math.max(1, one.lanes), state.lanes > 0 ? 1 : 0);
    const bytes = spanBytesFor({
      bytesPerSecond: state.connectionRate(now),
      freeBytes: board.freeBytes,
      connections: Math.max(1, connections),
      requestsPerMinute: state.source.capabilities().requestsPerMinute,
    });
    return board.claim(state.index, bytes) ?? this.#workOfOthers(state, ground, now);
  }

  /** A source without ranges sends the whole file: it is used only when nobody else can go on. */
  #isLastResort(state: SourceState): boolean {
    if (this.#running.size > 0) return false;
    const { board } = this.#ground!;
    return !this.#joined().some((one) => one !== state && one.mode !== 'stream' && board.hasWorkFor(one.index));
  }

  /** End-game: nothing is free, so the rest of a slow or stalled span is duplicated, or half of a long one taken. */
  #workOfOthers(state: SourceState, ground: Ground, now: number): Claim | undefined {
    const usual = median(this.#joined().flatMap((one) => one.connectionRate(now) ?? []));
    for (const { run } of this.#running) {
      const { claim } = run;
      if (claim === undefined || run.state === state || run.state.mode === 'blocks') continue;
      const rate = run.meter.rate(now);
      if (now - run.startedAt < SECOND_MS) continue;
      if (isLaggard({ bytesPerSecond: rate, idleMs: now - run.meter.lastByteAt }, usual)) {
        if (this.#isDuplicated(claim, ground)) continue;
        const duplicate = ground.board.duplicate(claim, state.index);
        if (duplicate !== undefined) return duplicate;
      } else if (ground.board.remainingBytes(claim) > rate * 2 + 2 * MIN_SPAN_BYTES) {
        const half = ground.board.split(claim, state.index, MIN_SPAN_BYTES);
        if (half !== undefined) return half;
      }
    }
    return undefined;
  }

  #isDuplicated(claim: Claim, ground: Ground): boolean {
    for (const other of ground.board.claims) {
      if (other !== claim && other.duplicate && other.first < claim.end && other.end > claim.next) return true;
    }
    return false;
  }

  #start(state: SourceState, claim: Claim | undefined): void {
    const context: TryContext = {
      now: this.#options.now,
      throttles: this.#options.throttlesOf(state),
      onBad: (source, unit, head, isFirst) => this.#onBad(source, unit, head, isFirst),
      onHead: (source, head) => this.#options.onHead(source, head),
    };
    const run = new SourceTry(state, context);
    run.claim = claim;
    state.lanes += 1;
    const entry: RunningTry = { run, settled: Promise.resolve() };
    this.#running.add(entry);
    entry.settled = this.#perform(run, claim).then((error) => this.#settle(entry, error));
  }

  /** @returns what went wrong; undefined when the try ended well */
  async #perform(run: SourceTry, claim: Claim | undefined): Promise<unknown> {
    try {
      if (claim === undefined) {
        await run.open((sizeBytes) => this.#lay(sizeBytes, run.state), this.#options.unsized);
        this.#isUnsizedDone = this.#ground === undefined;
      } else if (run.state.mode === 'blocks') await run.readBlocks(this.#ground!, claim);
      else await run.readSpan(this.#ground!, claim);
      return undefined;
    } catch (error) {
      const { signal } = run.controller;
      const cause: unknown = signal.aborted ? signal.reason : error;
      return cause instanceof SpanEnded ? undefined : cause;
    }
  }

  async #lay(sizeBytes: number | undefined, state: SourceState): Promise<Ground | undefined> {
    this.#ground = await this.#options.lay(sizeBytes, state);
    return this.#ground;
  }

  #settle(entry: RunningTry, thrown: unknown): void {
    const { run } = entry;
    const { state } = run;
    this.#running.delete(entry);
    run.close();
    state.lanes -= 1;
    if (run.acceptedBytes > 0) state.failuresInARow = 0;
    const error = thrown ?? this.#fruitless(run);
    const decision = error instanceof SourceError ? this.#onFailure(run, error) : undefined;
    if (run.claim !== undefined) this.#ground?.board.release(run.claim);
    this.#report(run, error, decision);
    if (error !== undefined && !(error instanceof SourceError)) this.fail(error);
    else this.#pump();
  }

  /** A response that ended well and brought nothing would be asked for again for ever. */
  #fruitless(run: SourceTry): SourceError | undefined {
    const { claim } = run;
    if (this.#isOver || claim === undefined || run.acceptedBytes > 0 || run.badLeaves > 0) return undefined;
    if (claim.next >= claim.end || run.state.isLeft || run.wastedBytes > 0 || run.controller.signal.aborted)
      return undefined;
    return new SourceError('interrupted', run.state.source.name, 'it ended the response before one piece was whole');
  }

  #onFailure(run: SourceTry, error: SourceError): Decision | undefined {
    const { state } = run;
    if (this.#isOver) return undefined;
    if (this.#changesMode(run, error)) return undefined;
    state.recordFailure(error);
    state.failuresInARow += 1;
    const { layer } = state.source;
    if (error.kind === 'digest-mismatch')
      this.#options.corruptionSwitches.set(layer, (this.#options.corruptionSwitches.get(layer) ?? 0) + 1);
    const decision = this.#decide(state, error);
    this.#carryOut(decision, state);
    this.#options.logger.info(
      { source: state.source.name, kind: error.kind, message: error.message, decision },
      'try failed',
    );
    return decision;
  }

  #decide(state: SourceState, error: SourceError): Decision {
    const { layer } = state.source;
    const isProvenByLeaves = this.#ground?.board.grid.table !== undefined;
    const kind = error.kind === 'aborted' ? 'interrupted' : error.kind;
    return decide(
      { kind, retryAfterMs: error.retryAfterMs },
      {
        failuresInARow: state.failuresInARow,
        corruptionSwitches: isProvenByLeaves ? 0 : (this.#options.corruptionSwitches.get(layer) ?? 0),
        otherSources: this.#joined().filter((one) => one !== state && one.source.layer === layer).length,
      },
      this.#options.budgets[layer],
      this.#options.random(),
    );
  }

  #carryOut(decision: Decision, state: SourceState): void {
    const { layer } = state.source;
    if (decision.do === 'retry-same') state.pausedUntil = this.#options.now() + decision.afterMs;
    else if (decision.do === 'next-layer') this.#leaveLayer(layer, decision.reason);
    else if (decision.do === 'next-source' && decision.again)
      state.pausedUntil =
        this.#options.now() + backoffMs(state.failuresInARow, this.#options.budgets[layer], this.#options.random());
    else state.leave(decision.reason);
  }

  #leaveLayer(layer: Layer, reason: string): void {
    for (const state of this.#options.states) if (state.source.layer === layer) state.leave(reason);
  }

  /** Some refusals only say how the source must be asked: by block, as a whole, or for something else. */
  #changesMode(run: SourceTry, error: SourceError): boolean {
    const { state } = run;
    const board = this.#ground?.board;
    if (state.source.kind === 'peer' && run.claim !== undefined && PARTS_ONLY.has(error.kind)) {
      for (let unit = run.claim.next; unit < run.claim.end; unit += 1) board?.withhold(unit, state.index);
      return true;
    }
    if (error.kind !== 'range-refused' || state.mode !== 'range') return false;
    const hasBlocks = state.source.readBlock !== undefined && state.source.capabilities().blocks;
    state.mode = hasBlocks && board?.grid.table !== undefined ? 'blocks' : 'stream';
    if (state.mode === 'blocks') state.allowedLanes = state.maxLanes(Infinity);
    return true;
  }

  #onBad(state: SourceState, unit: number, head: Uint8Array, isFirst: boolean): void {
    const { board } = this.#ground!;
    const { name } = state.source;
    const sources = board.exclude(unit, state.index);
    const rest = (retryAfterMs: number) => (state.source.kind === 'ipfs-gateway' ? { retryAfterMs } : {});
    if (isFirst && looksLikeWebPage(head))
      throw new SourceError('bad-response', name, 'it answered with a web page', rest(PAGE_REST_MS));
    const isLeft = state.strike();
    if (sources >= SOURCES_AGAINST_A_LEAF)
      throw new LeafError(
        'leaf-unobtainable',
        unit,
        `${sources} sources sent other bytes for leaf ${leafCid(board.grid.table!, unit) ?? unit} at ${board.grid.start(unit)}`,
      );
    if (isLeft)
      throw new SourceError(
        'digest-mismatch',
        name,
        `${state.badLeaves} of ${state.leavesSeen} leaves were corrupt`,
        rest(CORRUPT_REST_MS),
      );
  }

  #tick(): void {
    const now = this.#options.now();
    for (const { run } of this.#running) run.meter.tick(now);
    for (const state of this.#joined()) {
      state.sample(now);
      this.#ramp(state, now);
      this.#leaveWhenTooSlow(state, now);
    }
    this.#options.onTick();
    this.#pump();
  }

  /** Starts with one connection and doubles while that helps; one step back when it did not. */
  #ramp(state: SourceState, now: number): void {
    if (state.isRamped || state.mode !== 'range' || state.lanes < state.allowedLanes) return;
    if (!this.#options.isProvable || state.meter.totalBytes === 0 || now - (state.rampedAt ?? -Infinity) < 2 * TICK_MS)
      return;
    const rate = state.meter.rate(now);
    if (wantsConnection(state.rateBefore, rate, state.lanes, state.maxLanes(this.#options.connections))) {
      state.rateBefore = rate;
      state.rampedAt = now;
      state.allowedLanes *= 2;
      return;
    }
    state.isRamped = true;
    const hasHelped = state.rateBefore === undefined || rate >= state.rateBefore * 1.05;
    if (!hasHelped) state.allowedLanes = Math.max(1, state.allowedLanes >> 1);
  }

  /** HT5: far below its own usual rate for a while, and somebody else can go on. */
  #leaveWhenTooSlow(state: SourceState, now: number): void {
    if (state.slowForMs(now, isTooSlow) < TOO_SLOW_MS) return;
    if (!this.#joined().some((one) => one !== state && one.pausedUntil <= now)) return;
    const error = new SourceError('too-slow', state.source.name, 'it fell below a tenth of its usual rate');
    for (const { run } of this.#running) if (run.state === state) run.controller.abort(error);
  }

  #report(run: SourceTry, error: unknown, decision: Decision | undefined): void {
    const { state, claim } = run;
    const grid = this.#ground?.board.grid;
    const isFailure = error instanceof SourceError && !this.#isOver;
    this.#options.onTry({
      source: state.source.name,
      layer: state.source.layer,
      origin: state.source.origin,
      rankedBecause: state.rankedBecause,
      mode: state.mode,
      range:
        claim === undefined || grid === undefined || claim.end <= claim.first
          ? undefined
          : { start: grid.start(claim.first), end: grid.end(claim.end - 1) },
      bytes: run.bytes,
      committedBytes: run.acceptedBytes,
      wastedBytes: run.wastedBytes,
      badLeaves: run.badLeaves,
      durationMs: this.#options.now() - run.startedAt,
      latencyMs: run.latencyMs,
      failure: isFailure ? { kind: error.kind, message: error.message } : undefined,
      decision: decision?.do,
      reason: decision?.reason,
    });
  }

  #exhausted(): ExhaustedError {
    const failures: SourceFailure[] = [];
    for (const state of this.#options.states) {
      for (const [kind, { message, count }] of state.failures)
        failures.push({ source: state.source.name, kind, message, count });
    }
    return new ExhaustedError(
      this.#options.what,
      failures,
      failures.some((failure) => mayPass(failure.kind)),
    );
  }
}

/** What a peer says that does not hold the wanted part. */
const PARTS_ONLY: ReadonlySet<string> = new Set(['missing', 'range-refused']);

function looksLikeWebPage(head: Uint8Array): boolean {
  const text = Buffer.from(head.subarray(0, 64)).toString('latin1').trimStart().toLowerCase();
  return text.startsWith('<!doctype') || text.startsWith('<html');
}
