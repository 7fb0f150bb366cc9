import { dirname } from 'node:path';
import { sameBytes } from '#content/byte-reader';
import { compareDigests } from '#content/digests';
import type { DigestedFile } from '#content/file-digester';
import { loadHash } from '#content/multihash';
import { SourceError, StorageError, VerifyError } from '#core/failure';
import { silentLogger } from '#core/logger';
import { DEFAULT_BUDGETS } from '#core/policy';
import type { ResponseHead } from '#core/source';
import { appearanceOf, noteEncoding } from './appearance.ts';
import { Consequences } from './consequences.ts';
import { Crew } from './crew.ts';
import { nodeFileOperations } from './file-operations.ts';
import { keepProven } from './keep-proven.ts';
import { LaidFile } from './laid-file.ts';
import { SpanEnded } from './leaf-cutter.ts';
import { identityOf, Partial } from './partial.ts';
import { ProgressReporter } from './progress-reporter.ts';
import { rankedStates } from './ranked-states.ts';
import { algorithmsOf, isProvable, type RunParts } from './run-parts.ts';
import type { SourceState } from './source-state.ts';
import { startFileDigest } from './start-file-digest.ts';
import { suspectsOf } from './suspects.ts';
import type { TransferOptions, TransferResult } from './transfer-options.ts';
import { refuseContradictions, resultOf } from './transfer-result.ts';
import { TryLog } from './try-log.ts';
import { UnsizedBody } from './unsized-body.ts';

const DEFAULT_CONNECTIONS = 4;
/** How often leaves that went bad on the disk are fetched again before the disk is given up. */
const MAX_DAMAGES = 2;

/** One call of `transfer`: lays the file out, sends the crew, proves the whole, and leaves the disk in order. */
export class TransferRun {
  readonly #parts: RunParts;
  readonly #options: TransferOptions;
  readonly #partial: Partial;
  readonly #states: readonly SourceState[];
  readonly #consequences: Consequences;
  readonly #progress: ProgressReporter;
  readonly #tries: TryLog;
  readonly #unsized: UnsizedBody;
  #laid: LaidFile | undefined;
  #crew: Crew | undefined;
  /** Who said how long the file is, when nobody else knew. */
  #sizeFrom: SourceState | undefined;
  /** How often the whole digest differed because proven leaves had gone bad. */
  #damages = 0;

  private constructor(parts: RunParts) {
    const { options, operations, partial, states, logger, now } = parts;
    this.#parts = parts;
    this.#options = options;
    this.#partial = partial;
    this.#states = states;
    const { budgets = DEFAULT_BUDGETS, random = Math.random } = options;
    this.#consequences = new Consequences({ states, budgets, logger, now, random });
    this.#progress = new ProgressReporter(options.onProgress, now);
    this.#tries = new TryLog(options.onTry);
    this.#unsized = new UnsizedBody(partial, () => operations.freeBytes(dirname(options.partialPath)));
  }

  static async begin(options: TransferOptions): Promise<TransferRun> {
    refuseContradictions(options);
    if (options.table !== undefined) await loadHash(options.table.hashCode);
    const { fileOperations: operations = nodeFileOperations, logger = silentLogger } = options;
    const now = options.now ?? (() => performance.now());
    const partial = await Partial.open(options.partialPath, identityOf(options.file), operations, now, logger);
    const states = rankedStates(options, now());
    const order = states.map(({ source, rankedBecause }) => ({ source: source.name, why: rankedBecause }));
    logger.info({ path: options.partialPath, order }, 'sources ranked');
    return new TransferRun({ options, operations, partial, states, logger, now });
  }

  async complete(): Promise<TransferResult> {
    try {
      const { signal } = this.#options;
      signal?.throwIfAborted();
      const sizeBytes = this.#knownSize();
      if (sizeBytes !== undefined) await this.#lay(sizeBytes);
      const proof = await this.#fetchAndProve();
      signal?.throwIfAborted();
      await this.#laid?.end();
      await this.#partial.close();
      return resultOf(this.#options, proof, {
        states: this.#states,
        tries: this.#tries,
        resumedBytes: this.#laid?.resumedBytes ?? 0,
        carriedBytes: this.#laid?.carriedBytes ?? 0,
        wastedBytes: this.#wastedBytes,
      });
    } catch (error) {
      const cause = await keepProven(this.#parts, this.#laid, error);
      if (this.#laid !== undefined) this.#report(true);
      throw cause;
    }
  }

  /** The manifest's word, the DAG's, or what an earlier run learned of the same file. */
  #knownSize(): number | undefined {
    const { file, table } = this.#options;
    const { found } = this.#partial;
    const wasLearned = found.ok && sameBytes(found.journal.identity, identityOf(file));
    return table?.sizeBytes ?? file.sizeBytes ?? (wasLearned ? found.journal.sizeBytes : undefined);
  }

  async #lay(sizeBytes: number): Promise<LaidFile> {
    this.#laid = await LaidFile.lay(this.#parts, sizeBytes, {
      resumed: (board) => this.#report(true, board),
      committed: () => {
        this.#checkpointWhenDue();
        this.#crew?.committed();
      },
      failed: (error) => this.#crew?.fail(error),
    });
    return this.#laid;
  }

  async #layLearned(sizeBytes: number | undefined, state: SourceState): Promise<LaidFile | undefined> {
    this.#sizeFrom = state;
    if (sizeBytes === undefined) return undefined;
    const { minBytes = 0 } = this.#options.file;
    if (sizeBytes >= minBytes) return this.#lay(sizeBytes);
    const message = `it has ${sizeBytes} bytes, at least ${minBytes} are expected`;
    throw new SourceError('size-mismatch', state.source.name, message);
  }

  #checkpointWhenDue(): void {
    if (!this.#partial.isDue || this.#laid?.board.isComplete === true) return;
    this.#partial.checkpoint(false).catch((error: unknown) => this.#crew?.fail(error));
  }

  /** Fetches until the whole file is proven; bytes that turn out to be suspect are fetched again from elsewhere. */
  async #fetchAndProve(): Promise<DigestedFile> {
    const { file, table } = this.#options;
    let states = this.#states;
    for (;;) {
      await this.#fetchUntilRechecked(states);
      const proof = await this.#digestOfWhole();
      const mismatch = compareDigests(file.digests, proof.digests);
      if (mismatch === undefined) return proof;
      const message = `its ${mismatch.algorithm} is ${mismatch.actual}, not ${mismatch.expected}`;
      if (table === undefined)
        states = await this.#dropSuspects(message + (await appearanceOf(this.#partial, proof, this.#states)));
      else await this.#dropDamaged(table.rootCid, message);
    }
  }

  /**
   * Every leaf was right when it came, so either the DAG is that of another file, or the disk does not hold what was written. The
   * leaves as they are now decide: a bad one is fetched again, and only leaves that are all right convict the DAG.
   */
  async #dropDamaged(rootCid: string, message: string): Promise<void> {
    const laid = this.#laid!;
    const dropped = await laid.proveAgain();
    this.#options.signal?.throwIfAborted();
    if (dropped === 0) throw new VerifyError('wrong-digest', `the file behind ${rootCid} is another one: ${message}`);
    this.#damages += 1;
    const { path } = this.#partial;
    if (this.#damages > MAX_DAMAGES)
      throw new StorageError('io', path, `the disk gave back other bytes than were written, ${this.#damages} times`);
    this.#parts.logger.warn({ path, dropped, message }, 'proven leaves were damaged');
    await laid.restartDigest();
  }

  /** The transfer ends only with claims that were proven again. */
  async #fetchUntilRechecked(states: readonly SourceState[]): Promise<void> {
    await this.#fetch(states);
    const laid = this.#laid;
    const dropped = (await laid?.rechecked()) ?? 0;
    this.#options.signal?.throwIfAborted();
    if (laid === undefined || dropped === 0) return;
    this.#parts.logger.warn({ path: this.#partial.path, dropped }, 'claimed leaves were damaged');
    if (!laid.board.isComplete) await this.#fetch(states);
    await laid.restartDigest();
  }

  async #fetch(states: readonly SourceState[]): Promise<void> {
    const options = this.#options;
    this.#crew = new Crew(
      {
        states,
        layers: options.layers,
        joinsAllLayers: options.strategy === 'parallel',
        consequences: this.#consequences,
        connections: options.connections ?? DEFAULT_CONNECTIONS,
        throttlesOf: (state) => [...(options.throttles ?? []), ...(options.sourceThrottles?.(state.source) ?? [])],
        isProvable: isProvable(options),
        what: options.file.cid ?? options.table?.rootCid ?? options.file.digests.sha256 ?? 'the file',
        now: this.#parts.now,
        lay: (sizeBytes, state) => this.#layLearned(sizeBytes, state),
        unsized: this.#unsized,
        onHead: (state, head) => this.#onHead(state, head),
        onTry: (record) => this.#tries.add(record),
        onTick: () => this.#onTick(),
      },
      this.#laid,
    );
    this.#report(true);
    await this.#crew.run(options.signal);
    this.#report(true);
  }

  /** HR3, HR6: bytes that nothing will prove come from one source under one validator, or start over. */
  #onHead(state: SourceState, head: ResponseHead): void {
    const laid = this.#laid;
    const isContinued = laid !== undefined && laid.board.doneBytes > 0 && head.start > 0;
    if (isContinued && !isProvable(this.#options)) {
      const isSame = laid.board.originOf(0) === state.index && head.etag !== undefined && head.etag === state.etag;
      if (!isSame) throw this.#startOver(laid, state);
    }
    state.etag = head.etag;
    noteEncoding(state, head, isProvable(this.#options), this.#parts.logger);
  }

  /** HT8: what is dropped was progress when it came, so a source that makes us begin anew again and again has its own count. */
  #startOver(laid: LaidFile, state: SourceState): Error {
    laid.drop(() => true);
    state.etag = undefined;
    state.restarts += 1;
    const { budgets = DEFAULT_BUDGETS } = this.#options;
    if (state.restarts < budgets[state.source.layer].triesPerSource) return new SpanEnded();
    const message = `it broke off ${state.restarts} times, and nothing shows that it would go on with the same bytes`;
    return new SourceError('bad-response', state.source.name, message);
  }

  #digestOfWhole(): Promise<DigestedFile> {
    if (this.#laid !== undefined) return this.#laid.digested();
    const { sizeBytes } = this.#unsized;
    if (this.#sizeFrom !== undefined) this.#sizeFrom.committedBytes = sizeBytes;
    const plan = { sizeBytes, algorithms: algorithmsOf(this.#options), dagProfile: this.#options.dagProfile };
    return startFileDigest(this.#partial.file, this.#partial.path, plan, 'inline').finish();
  }

  /** RE6, HR6: what came from suspects is fetched again. @returns the sources that may be asked now */
  async #dropSuspects(message: string): Promise<readonly SourceState[]> {
    const laid = this.#laid;
    const suspects = suspectsOf(laid?.board, (unit) => laid!.originInThisRun(unit), this.#states);
    this.#parts.logger.warn({ message, ...suspects.summary }, 'whole digest differs');
    const { culprit, trusted } = suspects;
    if (culprit !== undefined) this.#consequences.convict(culprit, message);
    if (laid === undefined) {
      culprit?.wasteAll();
      return this.#states;
    }
    laid.drop(suspects.isSuspect);
    await this.#partial.checkpoint(false);
    if (culprit !== undefined && culprit === this.#sizeFrom) await this.#forgetSize(laid);
    else await laid.restartDigest();
    return trusted === undefined ? this.#states : [trusted];
  }

  /** Who lied about the bytes may have lied about their number. */
  async #forgetSize(laid: LaidFile): Promise<void> {
    await laid.end();
    await this.#partial.clear();
    this.#laid = undefined;
    this.#sizeFrom = undefined;
    for (const state of this.#states) if (state.leftBecause === 'size-mismatch') state.leftBecause = undefined;
  }

  #onTick(): void {
    this.#checkpointWhenDue();
    this.#report(false);
  }

  #report(isDue: boolean, board = this.#laid?.board): void {
    this.#progress.report(isDue, () => ({
      committedBytes: board?.doneBytes ?? 0,
      totalBytes: board?.grid.sizeBytes ?? this.#options.file.sizeBytes,
      wastedBytes: this.#wastedBytes,
      activeSources: this.#crew?.activeSources ?? [],
      sources: this.#states.map((state) => state.progress()),
      tries: this.#tries.count,
    }));
  }

  get #wastedBytes(): number {
    return this.#states.reduce((sum, state) => sum + state.wastedBytes, 0);
  }
}
