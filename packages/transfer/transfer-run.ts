import { dirname } from 'node:path';
import { compareDigests } from '#content/digests';
import type { DigestedFile } from '#content/file-digester';
import { loadHash } from '#content/multihash';
import { SourceError, StorageError, VerifyError } from '#core/failure';
import type { DigestAlgorithm } from '#core/file-spec';
import type { Layer } from '#core/layer';
import { silentLogger, type Logger } from '#core/logger';
import { DEFAULT_BUDGETS } from '#core/policy';
import type { ResponseHead } from '#core/source';
import { Crew } from './crew.ts';
import { reserveDisk, type DiskReservation } from './disk-reservation.ts';
import type { FileDigest } from './file-digest.ts';
import { startFileDigest } from './start-file-digest.ts';
import { nodeFileOperations, writeFully, type FileOperations } from './file-operations.ts';
import { leafGrid, pieceGrid, type Grid } from './grid.ts';
import { LeafWriter, type WritableRun } from './leaf-writer.ts';
import { SpanEnded } from './leaf-cutter.ts';
import { discardPartial, identityOf, Partial } from './partial.ts';
import { ProgressReporter } from './progress-reporter.ts';
import { recheck, resumePartial, salvage, type ResumeRules } from './resume.ts';
import { rankedStates } from './ranked-states.ts';
import type { SourceState } from './source-state.ts';
import type { Ground } from './source-try.ts';
import { NO_SOURCE, SpanBoard } from './span-board.ts';
import { suspectsOf } from './suspects.ts';
import type { TransferOptions, TransferResult, TryRecord } from './transfer-options.ts';
import { refuseContradictions, resultOf } from './transfer-result.ts';
import { UnsizedBody } from './unsized-body.ts';

const DEFAULT_CONNECTIONS = 4;

/** One call of `transfer`: lays the ground, sends the crew, proves the whole, and leaves the disk in order. */
export class TransferRun {
  readonly #options: TransferOptions;
  readonly #operations: FileOperations;
  readonly #partial: Partial;
  readonly #states: readonly SourceState[];
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #progress: ProgressReporter;
  readonly #tries: TryRecord[] = [];
  readonly #unsized: UnsizedBody;
  readonly #corruptionSwitches = new Map<Layer, number>();
  #ground: Ground | undefined;
  #digest: FileDigest | undefined;
  #reservation: DiskReservation | undefined;
  #crew: Crew | undefined;
  /** Resolves with the number of claimed units that turned out to be bad. */
  #recheck: Promise<number> | undefined;
  #isStopping = false;
  /** Who said how long the file is, when nobody else knew. */
  #sizeFrom: SourceState | undefined;
  #resumedBytes = 0;
  /** 1 for each unit that was on the disk before this run. */
  #isResumed = new Uint8Array(0);

  private constructor(options: TransferOptions, operations: FileOperations, partial: Partial) {
    this.#options = options;
    this.#operations = operations;
    this.#partial = partial;
    this.#logger = options.logger ?? silentLogger;
    this.#now = options.now ?? (() => performance.now());
    this.#states = rankedStates(options, this.#now());
    this.#progress = new ProgressReporter(options.onProgress, this.#now);
    this.#unsized = new UnsizedBody(partial, () => operations.freeBytes(dirname(options.partialPath)));
  }

  static async begin(options: TransferOptions): Promise<TransferRun> {
    refuseContradictions(options);
    if (options.table !== undefined) await loadHash(options.table.hashCode);
    const operations = options.fileOperations ?? nodeFileOperations;
    const now = options.now ?? (() => performance.now());
    const logger = options.logger ?? silentLogger;
    const partial = await Partial.open(options.partialPath, identityOf(options.file), operations, now, logger);
    return new TransferRun(options, operations, partial);
  }

  async complete(): Promise<TransferResult> {
    try {
      const { signal } = this.#options;
      signal?.throwIfAborted();
      const sizeBytes = this.#knownSize();
      if (sizeBytes !== undefined) await this.#lay(sizeBytes);
      const proof = await this.#fetchAndProve();
      signal?.throwIfAborted();
      await this.#digest?.stop();
      await this.#partial.close();
      return resultOf(this.#options, proof, {
        states: this.#states,
        tries: this.#tries,
        resumedBytes: this.#resumedBytes,
        wastedBytes: this.#wastedBytes,
      });
    } catch (error) {
      this.#isStopping = true;
      const cause = await this.#keepWhatIsProven(error);
      if (this.#ground !== undefined) this.#report(true);
      throw cause;
    } finally {
      this.#reservation?.release();
    }
  }

  /** The manifest's word, the DAG's, or what an earlier run learned of the same file. */
  #knownSize(): number | undefined {
    const { file, table } = this.#options;
    const { found } = this.#partial;
    const wasLearned = found.ok && Buffer.compare(found.journal.identity, identityOf(file)) === 0;
    return table?.sizeBytes ?? file.sizeBytes ?? (wasLearned ? found.journal.sizeBytes : undefined);
  }

  get #isProvable(): boolean {
    return this.#options.table !== undefined || Object.keys(this.#options.file.digests).length > 0;
  }

  /** Everything that can be prepared once the size is known: board, what is already there, space, digest, writer. */
  async #lay(sizeBytes: number): Promise<Ground> {
    const { table, salvage: salvagePaths } = this.#options;
    const grid = table === undefined ? pieceGrid(sizeBytes) : leafGrid(table);
    const board = new SpanBoard(grid);
    const rules = this.#resumeRules();
    const { mustRecheck } = await resumePartial(this.#partial, board, rules);
    this.#report(true, board);
    this.#reservation = await reserveDisk(dirname(this.#partial.path), sizeBytes - board.doneBytes, (folder) =>
      this.#operations.freeBytes(folder),
    );
    await this.#partial.setSize(sizeBytes);
    this.#partial.follow(board, () => this.#states.map((state) => ({ source: state.source.name, etag: state.etag })));
    if (table !== undefined && salvagePaths !== undefined)
      await salvage(salvagePaths, this.#partial, board, this.#operations, rules);
    await this.#writeKnownLeaves(grid, board);
    this.#resumedBytes = board.doneBytes;
    this.#isResumed = Uint8Array.from({ length: grid.count }, (_, unit) => Number(board.isDone(unit)));
    if (mustRecheck) this.#recheck = this.#startRecheck(board);
    const writer = new LeafWriter(this.#partial.file, this.#partial.path, board, {
      accepted: (position, bytes) => this.#digest?.offer(position, bytes),
      committed: (run) => this.#committed(run),
      failed: (error) => this.#crew?.fail(error),
    });
    this.#ground = { board, writer };
    await this.#startDigest();
    return this.#ground;
  }

  #startRecheck(board: SpanBoard): Promise<number> {
    const { file, path } = this.#partial;
    const suspects = this.#isResumed.slice();
    const running = recheck(
      file,
      board,
      (unit) => suspects[unit] === 1,
      () => this.#isStopping,
      (unit) => this.#dropUnit(unit),
    );
    const checked = running.catch((error: unknown) => Promise.reject(StorageError.from(error, path)));
    checked.catch(() => undefined);
    return checked;
  }

  /** The transfer ends only with claims that were proven again. */
  async #fetchUntilRechecked(states: readonly SourceState[]): Promise<void> {
    await this.#fetch(states);
    const dropped = await this.#recheck;
    this.#recheck = undefined;
    if (dropped === undefined || dropped === 0) return;
    this.#logger.warn({ path: this.#partial.path, dropped }, 'claimed leaves were damaged');
    const { board } = this.#ground!;
    if (!board.isComplete) await this.#fetch(states);
    await this.#startDigest();
  }

  #resumeRules(): ResumeRules {
    return {
      identity: identityOf(this.#options.file),
      isProvable: this.#isProvable,
      indexOf: (name) => this.#states.find((state) => state.source.name === name)?.index ?? NO_SOURCE,
      adoptEtag: (name, etag) => {
        const state = this.#states.find((one) => one.source.name === name);
        if (state !== undefined) state.etag = etag;
      },
      logger: this.#logger,
      signal: this.#options.signal,
    };
  }

  async #writeKnownLeaves(grid: Grid, board: SpanBoard): Promise<void> {
    for (const [unit, bytes] of grid.table?.known ?? []) {
      if (board.isDone(unit)) continue;
      try {
        await writeFully(this.#partial.file, bytes, grid.start(unit));
      } catch (error) {
        throw StorageError.from(error, this.#partial.path);
      }
      board.done(unit, NO_SOURCE);
    }
  }

  async #startDigest(): Promise<void> {
    const { board } = this.#ground!;
    await this.#digest?.stop();
    const plan = {
      sizeBytes: board.grid.sizeBytes,
      algorithms: this.#algorithms,
      dagProfile: this.#options.dagProfile,
    };
    const { file, path } = this.#partial;
    this.#digest = startFileDigest(file, path, plan, this.#options.digestThread ?? 'auto');
    this.#digest.advance(board.frontierBytes);
  }

  get #algorithms(): DigestAlgorithm[] {
    return [...new Set<DigestAlgorithm>(['sha256', ...(Object.keys(this.#options.file.digests) as DigestAlgorithm[])])];
  }

  #committed(run: WritableRun): void {
    const state = this.#states[run.source];
    if (state !== undefined) state.committedBytes += run.bytes;
    const { board } = this.#ground!;
    this.#partial.wrote(run.bytes);
    this.#reservation?.remaining(board.grid.sizeBytes - board.doneBytes);
    this.#digest?.advance(board.frontierBytes);
    this.#checkpointWhenDue();
    this.#crew?.committed();
  }

  #checkpointWhenDue(): void {
    if (!this.#partial.isDue || this.#ground?.board.isComplete === true) return;
    this.#partial.checkpoint(false).catch((error: unknown) => this.#crew?.fail(error));
  }

  /** Fetches until the whole file is proven; bytes that turn out to be suspect are fetched again from elsewhere. */
  async #fetchAndProve(): Promise<DigestedFile> {
    let states = this.#states;
    for (;;) {
      await this.#fetchUntilRechecked(states);
      const proof = await this.#digestOfWhole();
      const mismatch = compareDigests(this.#options.file.digests, proof.digests);
      if (mismatch === undefined) return proof;
      const message = `its ${mismatch.algorithm} is ${mismatch.actual}, not ${mismatch.expected}`;
      if (this.#options.table !== undefined)
        throw new VerifyError(
          'wrong-digest',
          `the file behind ${this.#options.table.rootCid} is another one: ${message}`,
        );
      states = await this.#dropSuspects(message);
    }
  }

  async #fetch(states: readonly SourceState[]): Promise<void> {
    const { options } = { options: this.#options };
    this.#crew = new Crew(
      {
        states,
        layers: options.layers,
        joinsAllLayers: options.strategy === 'parallel',
        budgets: options.budgets ?? DEFAULT_BUDGETS,
        connections: options.connections ?? DEFAULT_CONNECTIONS,
        throttlesOf: (state) => [...(options.throttles ?? []), ...(options.sourceThrottles?.(state.source) ?? [])],
        isProvable: this.#isProvable,
        corruptionSwitches: this.#corruptionSwitches,
        what: options.file.cid ?? options.table?.rootCid ?? options.file.digests.sha256 ?? 'the file',
        logger: this.#logger,
        now: this.#now,
        random: options.random ?? Math.random,
        lay: (sizeBytes, state) => this.#layLearned(sizeBytes, state),
        unsized: this.#unsized,
        onHead: (state, head) => this.#onHead(state, head),
        onTry: (record) => this.#onTry(record),
        onTick: () => this.#onTick(),
      },
      this.#ground,
    );
    this.#report(true);
    await this.#crew.run(options.signal);
    this.#report(true);
  }

  async #layLearned(sizeBytes: number | undefined, state: SourceState): Promise<Ground | undefined> {
    this.#sizeFrom = state;
    if (sizeBytes === undefined) return undefined;
    this.#refuseTooSmall(sizeBytes, state);
    return this.#lay(sizeBytes);
  }

  #refuseTooSmall(sizeBytes: number, state: SourceState): void {
    const { minBytes } = this.#options.file;
    if (minBytes === undefined || sizeBytes >= minBytes) return;
    throw new SourceError(
      'size-mismatch',
      state.source.name,
      `it has ${sizeBytes} bytes, at least ${minBytes} are expected`,
    );
  }

  /** HR3, HR6: bytes that nothing will prove come from one source under one validator, or start over. */
  #onHead(state: SourceState, head: ResponseHead): void {
    const board = this.#ground?.board;
    const isContinued = board !== undefined && board.doneBytes > 0;
    if (!this.#isProvable && isContinued && head.start > 0) {
      const isSame = board.originOf(0) === state.index && head.etag !== undefined && head.etag === state.etag;
      if (!isSame) {
        this.#drop(() => true);
        state.etag = undefined;
        throw new SpanEnded();
      }
    }
    state.etag = head.etag;
  }

  async #digestOfWhole(): Promise<DigestedFile> {
    if (this.#ground !== undefined) return this.#digest!.finish();
    const { sizeBytes } = this.#unsized;
    if (this.#sizeFrom !== undefined) this.#sizeFrom.committedBytes = sizeBytes;
    const plan = { sizeBytes, algorithms: this.#algorithms, dagProfile: this.#options.dagProfile };
    this.#digest = startFileDigest(this.#partial.file, this.#partial.path, plan, 'inline');
    return this.#digest.finish();
  }

  /** RE6, HR6: what came from suspects is fetched again. @returns the sources that may be asked now */
  async #dropSuspects(message: string): Promise<readonly SourceState[]> {
    const board = this.#ground?.board;
    const suspects = suspectsOf(board, (unit) => this.#originInThisRun(unit), this.#states);
    this.#logger.warn({ message, ...suspects.summary }, 'whole digest differs');
    const { culprit } = suspects;
    if (culprit !== undefined) this.#convict(culprit, message);
    if (board === undefined) {
      if (culprit !== undefined) culprit.wastedBytes += culprit.committedBytes;
      if (culprit !== undefined) culprit.committedBytes = 0;
      return this.#states;
    }
    this.#drop(suspects.isSuspect);
    await this.#partial.checkpoint(false);
    if (culprit !== undefined && culprit === this.#sizeFrom) await this.#forgetSize();
    else await this.#startDigest();
    return suspects.trusted === undefined ? this.#states : [suspects.trusted];
  }

  #convict(culprit: SourceState, message: string): void {
    const { layer } = culprit.source;
    culprit.recordFailure(new SourceError('digest-mismatch', culprit.source.name, message));
    culprit.leave('it sent corrupt bytes');
    const switches = (this.#corruptionSwitches.get(layer) ?? 0) + 1;
    this.#corruptionSwitches.set(layer, switches);
    if (switches <= (this.#options.budgets ?? DEFAULT_BUDGETS)[layer].corruptionSwitches) return;
    for (const state of this.#states) {
      if (state.source.layer === layer) state.leave(`corrupt bytes from ${switches} sources of this layer`);
    }
  }

  /** Who lied about the bytes may have lied about their number. */
  async #forgetSize(): Promise<void> {
    await this.#digest?.stop();
    this.#digest = undefined;
    this.#reservation?.release();
    await this.#partial.clear();
    this.#ground = undefined;
    this.#sizeFrom = undefined;
    for (const state of this.#states) if (state.leftBecause === 'size-mismatch') state.leftBecause = undefined;
  }

  #drop(isSuspect: (origin: number) => boolean): void {
    const { board } = this.#ground!;
    for (let unit = 0; unit < board.grid.count; unit += 1) {
      if (board.isDone(unit) && isSuspect(this.#originInThisRun(unit))) this.#dropUnit(unit);
    }
  }

  #dropUnit(unit: number): void {
    const { board } = this.#ground!;
    const bytes = board.grid.end(unit) - board.grid.start(unit);
    const state = this.#states[this.#originInThisRun(unit)];
    if (state !== undefined) {
      state.committedBytes -= bytes;
      state.wastedBytes += bytes;
    } else this.#resumedBytes -= bytes;
    this.#isResumed[unit] = 0;
    board.drop(unit);
  }

  /** What an earlier run left may have been damaged since: nobody is blamed for it. */
  #originInThisRun(unit: number): number {
    return this.#isResumed[unit] === 1 ? NO_SOURCE : this.#ground!.board.originOf(unit);
  }

  #onTry(record: TryRecord): void {
    this.#tries.push(record);
    this.#options.onTry?.(record);
  }

  #onTick(): void {
    this.#checkpointWhenDue();
    this.#report(false);
  }

  #report(isDue: boolean, board = this.#ground?.board): void {
    this.#progress.report(isDue, {
      committedBytes: board?.doneBytes ?? 0,
      totalBytes: board?.grid.sizeBytes ?? this.#options.file.sizeBytes,
      wastedBytes: this.#wastedBytes,
      activeSources: this.#crew?.activeSources ?? [],
      tries: this.#tries.length,
    });
  }

  get #wastedBytes(): number {
    return this.#states.reduce((sum, state) => sum + state.wastedBytes, 0);
  }

  /** Leaves the disk so that the same call can go on later. @returns the error to throw */
  async #keepWhatIsProven(error: unknown): Promise<unknown> {
    const board = this.#ground?.board;
    try {
      await this.#digest?.stop();
      const isProven = this.#recheck === undefined;
      await this.#recheck?.catch(() => undefined);
      const isWorthKeeping = board !== undefined && board.doneBytes > 0;
      if (isWorthKeeping) await this.#partial.checkpoint(isProven);
      await this.#partial.close();
      const wasEmpty = board !== undefined || this.#partial.file.sizeBytes === 0;
      if (wasEmpty && !isWorthKeeping) await discardPartial(this.#partial.path, this.#operations);
    } catch (err) {
      this.#logger.warn({ path: this.#partial.path, err }, 'partial not committed');
      await this.#partial.close().catch(() => undefined);
    }
    return this.#withMissingBytes(error);
  }

  async #withMissingBytes(error: unknown): Promise<unknown> {
    const board = this.#ground?.board;
    if (!(error instanceof StorageError) || error.kind !== 'disk-full' || error.missingBytes !== undefined)
      return error;
    if (board === undefined) return error;
    const free = await this.#operations.freeBytes(dirname(this.#partial.path)).catch(() => 0);
    const missingBytes = Math.max(1, board.grid.sizeBytes - board.doneBytes - free);
    return new StorageError('disk-full', error.path, error.message, { cause: error, missingBytes });
  }
}
