import { compareDigests } from '#content/digest/digests';
import type { DigestedFile } from '#content/digest/file-digester';
import { loadHash } from '#content/digest/multihash';
import { ExhaustedError, StorageError, VerifyError } from '#core/failure';
import { silentLogger } from '#core/logger';
import { DEFAULT_BUDGETS } from '#core/policy';
import type { ResponseHead } from '#core/source';
import { isSameVersion } from '#core/validator';
import { appearanceOf, noteEncoding } from '../proof/appearance.ts';
import { Consequences } from './consequences.ts';
import { Crew } from './crew.ts';
import { nodeFileOperations } from '../disk/file-operations.ts';
import { keepProven } from '../disk/keep-proven.ts';
import type { LaidFile } from '../disk/laid-file.ts';
import { Layout } from '../disk/layout.ts';
import { identityOf, Partial } from '../disk/partial.ts';
import { ProgressReporter } from '../report/progress-reporter.ts';
import { rankedStates } from '../plan/ranked-states.ts';
import { algorithmsOf, isProvable, type RunParts } from './run-parts.ts';
import type { SourceState } from './source-state.ts';
import { startFileDigest } from '../proof/start-file-digest.ts';
import { suspectsOf } from '../proof/suspects.ts';
import type { TransferOptions, TransferResult } from '../report/transfer-options.ts';
import { refuseContradictions, resultOf } from '../report/transfer-result.ts';
import { TryLog } from '../report/try-log.ts';

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
  readonly #layout: Layout;
  #crew: Crew | undefined;
  /** How often the whole digest differed because proven leaves had gone bad. */
  #damages = 0;

  private constructor(parts: RunParts) {
    const { options, partial, states, logger, now } = parts;
    this.#parts = parts;
    this.#options = options;
    this.#partial = partial;
    this.#states = states;
    const { budgets = DEFAULT_BUDGETS, random = Math.random } = options;
    this.#consequences = new Consequences({ states, budgets, logger, now, random });
    this.#progress = new ProgressReporter(options.onProgress, now);
    this.#tries = new TryLog(options.onTry);
    this.#layout = new Layout(parts, {
      resumed: (board) => this.#report(true, board),
      committed: () => {
        this.#checkpointWhenDue();
        this.#crew?.committed();
      },
      failed: (error) => this.#crew?.fail(error),
    });
  }

  get #laid(): LaidFile | undefined {
    return this.#layout.laid;
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
      await this.#layout.begin();
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

  #checkpointWhenDue(): void {
    if (!this.#partial.isDue || this.#laid?.board.isComplete === true) return;
    this.#partial.checkpoint(false).catch((error: unknown) => this.#crew?.fail(error));
  }

  /** Fetches until the whole file is proven; bytes that turn out to be suspect are fetched again from elsewhere. */
  async #fetchAndProve(): Promise<DigestedFile> {
    const { file, table } = this.#options;
    let states = this.#states;
    for (;;) {
      await this.#fetchOfAnySize(states);
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

  /** A length that only a source told is as good as the source. */
  async #fetchOfAnySize(states: readonly SourceState[]): Promise<void> {
    for (;;) {
      try {
        return await this.#fetchUntilRechecked(states);
      } catch (error) {
        if (!(error instanceof ExhaustedError) || !(await this.#layout.believesOtherSize())) throw error;
      }
    }
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
    this.#crew = new Crew({
      states,
      layers: options.layers,
      joinsAllLayers: options.strategy === 'parallel',
      consequences: this.#consequences,
      connections: options.connections ?? DEFAULT_CONNECTIONS,
      throttlesOf: (state) => [...(options.throttles ?? []), ...(options.sourceThrottles?.(state.source) ?? [])],
      isProvable: isProvable(options),
      what: options.file.cid ?? options.table?.rootCid ?? options.file.digests.sha256 ?? 'the file',
      now: this.#parts.now,
      layout: this.#layout,
      onHead: (state, head) => this.#onHead(state, head),
      onTry: (record) => this.#tries.add(record),
      onTick: () => this.#onTick(),
    });
    this.#report(true);
    await this.#crew.run(options.signal);
    this.#report(true);
  }

  /** Where a digest or leaves prove the bytes, they decide, and a validator only says that it is worth reading the file twice. */
  #onHead(state: SourceState, head: ResponseHead): void {
    noteEncoding(state, head, isProvable(this.#options), this.#parts.logger);
    if (!isProvable(this.#options)) return;
    const { validator } = head;
    const isOther =
      state.validator !== undefined && validator !== undefined && !isSameVersion(state.validator, validator);
    state.hasChanged ||= isOther;
    state.validator = validator ?? state.validator;
  }

  #digestOfWhole(): Promise<DigestedFile> {
    if (this.#laid !== undefined) return this.#laid.digested();
    const plan = {
      sizeBytes: this.#layout.closeUnsized(),
      algorithms: algorithmsOf(this.#options),
      dagProfile: this.#options.dagProfile,
    };
    return startFileDigest(this.#partial.file, this.#partial.path, plan, 'inline').finish();
  }

  /** RE6, HR6: what came from suspects is fetched again. @returns the sources that may be asked now */
  async #dropSuspects(message: string): Promise<readonly SourceState[]> {
    const laid = this.#laid;
    const suspects = suspectsOf(laid?.board, (unit) => laid!.originInThisRun(unit), this.#states);
    this.#parts.logger.warn({ message, ...suspects.summary }, 'whole digest differs');
    const { culprit, trusted } = suspects;
    if (culprit?.hasChanged === true && !culprit.wasReadAgain) readInOneAnswer(culprit);
    else if (culprit !== undefined) this.#consequences.convict(culprit, message);
    if (laid === undefined) {
      culprit?.wasteAll();
      return this.#states;
    }
    laid.drop(suspects.isSuspect);
    await this.#partial.checkpoint(false);
    const isLearnedAnew = culprit !== undefined && (await this.#layout.forgetSizeOf(culprit));
    if (!isLearnedAnew) await laid.restartDigest();
    return trusted === undefined ? this.#states : [trusted];
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

/** Its answers were of more than one version, so that its bytes may only be mixed: it is asked once more, for all of them at once. */
function readInOneAnswer(state: SourceState): void {
  state.wasReadAgain = true;
  if (state.mode === 'range') state.mode = 'stream';
}
