import { SourceError } from '#core/failure';
import type { Decision } from '#core/policy';
import { judgeBadLeaf } from '../proof/bad-leaf.ts';
import { adjustConnections } from '../plan/connections.ts';
import type { CrewOptions } from './crew-options.ts';
import { abortWhenTooSlow, endNeedless } from './end-tries.ts';
import { readFromStart } from './first-byte-reads.ts';
import { JoinedSources } from './joined-sources.ts';
import { SpanEnded } from '../proof/leaf-cutter.ts';
import { asksEachPart, missesBlock } from '../plan/missing-parts.ts';
import { chooseMode, findsOtherWay } from '../plan/other-way.ts';
import type { SourceState } from './source-state.ts';
import { SourceTry, type Ground, type TryContext } from './source-try.ts';
import type { Claim } from '../plan/span-board.ts';
import { exhausted, recordOf } from '../report/tries.ts';
import { choosePeer, chooseWork, type WorkSituation } from '../plan/work-choice.ts';

const TICK_MS = 200;

interface RunningTry {
  readonly run: SourceTry;
  settled: Promise<void>;
}

/**
 * Runs the tries of a transfer until every unit is on the disk. Decides which source is asked next, for which units, over how many
 * connections, and what follows a failure. `#pump` makes all decisions and runs after every change.
 */
export class Crew {
  readonly #options: CrewOptions;
  readonly #running = new Set<RunningTry>();
  readonly #joined: JoinedSources;
  #isUnsizedDone = false;
  #isOver = false;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #wake: NodeJS.Timeout | undefined;

  constructor(options: CrewOptions) {
    this.#options = options;
    for (const state of options.states) chooseMode(state, this.#ground?.board);
    this.#joined = new JoinedSources(options);
  }

  get #ground(): Ground | undefined {
    return this.#options.layout.laid;
  }

  get activeSources(): string[] {
    return [...new Set([...this.#running].map(({ run }) => run.state.source.name))];
  }

  /**
   * Resolves when the board is complete, or a response of unknown length has ended. When it settles, no try runs and no write is in
   * flight.
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
      await this.#finishTries();
    }
  }

  /** Ends the run with an error; no further byte is taken. */
  fail(error: unknown): void {
    this.#isOver = true;
    this.#abortTries();
    this.#reject(error);
  }

  /** Ends the run if the board is complete. Call it after units were committed. */
  committed(): void {
    if (!this.#isOver && this.#isDone()) this.#end();
  }

  /** Looks at once whether there is work for a source. */
  wake = (): void => this.#pump();

  #end(): void {
    this.#isOver = true;
    this.#resolve();
  }

  async #finishTries(): Promise<void> {
    this.#abortTries();
    await Promise.all([...this.#running].map(({ settled }) => settled));
    await this.#ground?.writer.idle();
  }

  #abortTries(): void {
    for (const { run } of this.#running) run.controller.abort(new SpanEnded());
  }

  #pump(): void {
    if (this.#isOver) return;
    if (this.#isDone()) return this.#end();
    this.#startAll();
    if (this.#running.size > 0) return;
    if (this.#joined.hasWork(this.#ground?.board)) this.#wakeWhenPausesEnd();
    else if (this.#ground !== undefined && asksEachPart(this.#ground.board, this.#joined.all)) this.#pump();
    else if (!this.#isAwaitingDisk() && !this.#isAwaitingPeers())
      this.fail(exhausted(this.#options.what, this.#options.states, this.#ground?.board.refusedUnits));
  }

  /** Unproven bytes may be the beginning of a longer response, so the run waits until that response has ended. */
  #isDone(): boolean {
    const isComplete = this.#ground?.board.isComplete === true;
    return this.#isUnsizedDone || (isComplete && (this.#options.isProvable || this.#running.size === 0));
  }

  /** The next layer joins when no source of an earlier layer is active or paused. */
  #startAll(): void {
    do {
      for (const state of this.#joined.all) if (!this.#takesTurns(state)) this.#startTries(state);
      this.#startAtPeers();
    } while (this.#needsNextLayer() && this.#joined.joinNextLayer());
  }

  /** It is a peer of a host that divides the file with others. */
  #takesTurns = ({ source }: SourceState): boolean =>
    this.#options.share !== undefined && this.#ground !== undefined && source.holds !== undefined;

  #startAtPeers(): void {
    const [{ share }, ground] = [this.#options, this.#ground];
    if (share === undefined || ground === undefined) return;
    const choose = () => choosePeer((state) => this.#mayStart(state), { ...this.#situation(ground), share });
    for (let next = choose(); next !== undefined; next = choose()) this.#start(next.state, next.claim);
  }

  #needsNextLayer(): boolean {
    const { isOfLayer } = this.#joined;
    if ([...this.#running].some(({ run }) => isOfLayer(run.state))) return false;
    return !this.#joined.hasWork(this.#ground?.board, isOfLayer) && !this.#isHeldBack();
  }

  /** Peers fetch the missing units at this moment; each tick looks again. */
  #isAwaitingPeers(): boolean {
    return this.#ground !== undefined && this.#options.share?.mayStillCome === true;
  }

  /** A source of the joined layers waits only because other hosts have their turn. */
  #isHeldBack(): boolean {
    return this.#isAwaitingPeers() && this.#joined.all.some(({ source }) => source.holds === undefined);
  }

  /** All sources are paused: sleep until the first pause ends. */
  #wakeWhenPausesEnd(): void {
    const pauseMs = this.#joined.firstPauseMs(this.#options.now());
    clearTimeout(this.#wake);
    if (pauseMs !== undefined) this.#wake = setTimeout(() => this.#pump(), pauseMs);
  }

  /** Every missing unit is being written. */
  #isAwaitingDisk(): boolean {
    return this.#ground !== undefined && this.#ground.board.freeBytes === 0;
  }

  /** Starts tries at the source until it has all its connections, or there is no work for it. */
  #startTries(state: SourceState): void {
    while (this.#mayStart(state)) {
      if (this.#ground === undefined) {
        if (this.#running.size > 0) return;
        this.#start(state, undefined);
      } else {
        const claim = chooseWork(state, this.#situation(this.#ground));
        if (claim === undefined) return;
        this.#start(state, claim);
      }
    }
  }

  #mayStart(state: SourceState): boolean {
    const most = Math.min(state.allowedConnections, state.maxConnections(this.#options.connections));
    return !state.isLeft && state.pausedUntil <= this.#options.now() && state.connections < most;
  }

  #situation(ground: Ground): WorkSituation {
    return {
      ground,
      joined: this.#joined.all,
      running: [...this.#running].map(({ run }) => run),
      isProvable: this.#options.isProvable,
      share: this.#options.share,
      now: this.#options.now(),
    };
  }

  #start(state: SourceState, claim: Claim | undefined): void {
    const context: TryContext = {
      now: this.#options.now,
      throttles: this.#options.throttlesOf(state),
      onBad: (from, unit, head, isFirst) => {
        this.#options.share?.refused(from.source.name, unit);
        judgeBadLeaf(this.#ground!.board, from, unit, head, isFirst);
      },
      onMissing: (source, unit) => missesBlock(this.#ground!.board, source, unit),
      onHead: (source, head) => this.#options.onHead(source, head),
    };
    const run = new SourceTry(state, context);
    run.claim = claim;
    state.connections += 1;
    const entry: RunningTry = { run, settled: Promise.resolve() };
    this.#running.add(entry);
    entry.settled = this.#perform(run, claim).then((error) => this.#close(entry, error));
  }

  /** Unproven bytes of a response are on the disk before the head of the next response is compared with them. */
  #close(entry: RunningTry, error: unknown): void | Promise<void> {
    entry.run.close();
    const written = this.#options.isProvable ? undefined : this.#ground?.writer.idle();
    return written === undefined ? this.#settle(entry, error) : written.then(() => this.#settle(entry, error));
  }

  /** @returns the failure; undefined when the try succeeded, or was ended because its bytes are not needed */
  async #perform(run: SourceTry, claim: Claim | undefined): Promise<unknown> {
    try {
      if (claim === undefined || !this.#options.isProvable) {
        await readFromStart(run, claim, this.#options);
        this.#isUnsizedDone = this.#ground === undefined;
      } else if (run.mode === 'blocks') await run.readBlocks(this.#ground!, claim);
      else await run.readSpan(this.#ground!, claim);
      return undefined;
    } catch (error) {
      const { signal } = run.controller;
      const cause: unknown = signal.aborted ? signal.reason : error;
      return cause instanceof SpanEnded ? undefined : cause;
    }
  }

  #settle(entry: RunningTry, thrown: unknown): void {
    const { run } = entry;
    const { state } = run;
    this.#running.delete(entry);
    state.connections -= 1;
    if (run.acceptedBytes > 0) state.failuresInARow = state.refusalsInARow = 0;
    const error = thrown ?? (this.#isOver ? undefined : run.fruitless());
    const decision = error instanceof SourceError ? this.#onFailure(run, error) : undefined;
    if (run.claim !== undefined) this.#ground?.board.release(run.claim);
    const failure = error instanceof SourceError && !this.#isOver ? error : undefined;
    const ending = { error: failure, decision, now: this.#options.now() };
    this.#options.onTry(recordOf(run, this.#ground?.board.grid, ending));
    if (error !== undefined && !(error instanceof SourceError)) this.fail(error);
    else this.#pump();
  }

  #onFailure(run: SourceTry, error: SourceError): Decision | undefined {
    if (this.#isOver || findsOtherWay(run, error, this.#ground?.board)) return undefined;
    const { state } = run;
    const { layer } = state.source;
    return this.#options.consequences.afterFailure(state, error, {
      otherSources: this.#joined.all.filter((one) => one !== state && one.source.layer === layer).length,
      hasOtherLayer: this.#options.states.some((one) => !one.isLeft && one.source.layer !== layer),
      isProvenByLeaves: this.#ground?.board.grid.table !== undefined,
    });
  }

  #tick(): void {
    const now = this.#options.now();
    const running = [...this.#running].map(({ run }) => run);
    for (const run of running) run.tick(now);
    endNeedless(running, this.#ground?.board);
    for (const state of this.#joined.all) {
      state.sample(now);
      if (this.#options.isProvable) adjustConnections(state, this.#running, now, this.#options.connections);
      abortWhenTooSlow(state, this.#joined.all, running, now);
    }
    this.#options.onTick();
    this.#pump();
  }
}
