import { compareDigests } from '#content/digest/digests';
import type { DigestedFile } from '#content/digest/file-digester';
import { loadHash } from '#content/digest/multihash';
import { ExhaustedError, StorageError, VerifyError } from '#core/failure';
import { silentLogger } from '#core/logger';
import { DEFAULT_BUDGETS } from '#core/policy';
import type { ResponseHead } from '#core/source';
import { isSameVersion } from '#core/bytes/validator';
import { appearanceOf, noteEncoding } from '../proof/appearance.ts';
import { Consequences } from './consequences.ts';
import { Crew } from './crew.ts';
import { nodeFileOperations } from '../disk/file-operations.ts';
import { keepProven } from '../disk/keep-proven.ts';
import type { LaidFile } from '../disk/laid-file.ts';
import { Layout } from '../disk/layout.ts';
import { identityOf, Partial } from '../disk/partial.ts';
import { TransferProgress } from '../report/progress.ts';
import { algorithmsOf, isProvable, type RunParts } from './run-parts.ts';
import { addJoined, rankedStates, type SourceState } from './source-state.ts';
import { startFileDigest } from '../proof/threaded-digest.ts';
import { suspectsOf } from '../proof/suspects.ts';
import type { TransferOptions, TransferResult } from '../report/transfer-options.ts';
import { refuseContradictions, resultOf } from '../report/transfer-result.ts';
import { TryLog } from '../report/tries.ts';

const DEFAULT_CONNECTIONS = 4;
/** How often leaves that were damaged on the disk are fetched again before the transfer fails. */
const MAX_DAMAGES = 2;

/**
 * Brings the bytes of one file to `partialPath`, from several sources at once. Proves every byte that can be proven and continues the
 * partial of an earlier run.
 *
 * When it rejects, all proven bytes stay in the partial and its journal, and the same call continues from there; a partial without proven
 * bytes is removed. When it resolves, the partial is complete and closed but not synced: publishing syncs it, and then removes the
 * journal (`journalPathOf`).
 *
 * @throws ExhaustedError every source of every layer failed; it names each and why
 * @throws VerifyError the content differs from its identity (`LeafError` names a leaf)
 * @throws StorageError the disk refused; `disk-full` says how many bytes are missing
 * @throws the reason of the signal when it was aborted; the journal is written first
 * @throws RangeError for options that contradict each other
 */
export async function transfer(options: TransferOptions): Promise<TransferResult> {
  const run = await TransferRun.begin(options);
  return run.complete();
}

/** One call of `transfer`: lays the file out, runs the crew, proves the whole file, and closes the partial. */
class TransferRun {
  readonly #parts: RunParts;
  readonly #options: TransferOptions;
  readonly #partial: Partial;
  readonly #states: SourceState[];
  readonly #consequences: Consequences;
  readonly #progress: TransferProgress;
  readonly #tries: TryLog;
  readonly #layout: Layout;
  #crew: Crew | undefined;
  /** How often the whole digest differed because proven leaves were damaged on the disk. */
  #damages = 0;

  private constructor(parts: RunParts) {
    const { options, partial, states, logger, now } = parts;
    this.#parts = parts;
    this.#options = options;
    this.#partial = partial;
    this.#states = states;
    const { budgets = DEFAULT_BUDGETS, random = Math.random } = options;
    this.#consequences = new Consequences({ states, budgets, logger, now, random });
    this.#progress = new TransferProgress(options.onProgress, now);
    this.#tries = new TryLog(options.onTry);
    options.share?.listen(() => this.#crew?.wake());
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

  /** Fetches until the whole file is proven; suspect bytes are fetched again from other sources. */
  async #fetchAndProve(): Promise<DigestedFile> {
    const { file, table } = this.#options;
    let states: readonly SourceState[] = this.#states;
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
   * Every leaf was correct when it arrived, so either the DAG is that of another file, or the disk was damaged. The leaves are verified
   * again: a bad leaf is fetched again; if all are correct, the DAG is that of another file.
   */
  async #dropDamaged(rootCid: string, message: string): Promise<void> {
    const laid = this.#laid!;
    const dropped = await laid.proveAgain();
    this.#options.signal?.throwIfAborted();
    if (dropped === 0) throw new VerifyError('wrong-digest', `${rootCid} names another file: ${message}`);
    this.#damages += 1;
    const { path } = this.#partial;
    if (this.#damages > MAX_DAMAGES)
      throw new StorageError(
        'io',
        path,
        `the disk returned other bytes than were written, ${this.#damages} times; check the disk`,
      );
    this.#parts.logger.warn({ path, dropped, message }, 'proven leaves were damaged');
    await laid.restartDigest();
  }

  /** A size that only a source reported may be wrong: if all sources failed, the size of another source is tried. */
  async #fetchOfAnySize(states: readonly SourceState[]): Promise<void> {
    for (;;) {
      try {
        return await this.#fetchUntilRechecked(states);
      } catch (error) {
        if (!(error instanceof ExhaustedError) || !(await this.#layout.acceptsOtherSize())) throw error;
      }
    }
  }

  /** Waits until the leaves that the journal recorded are verified again, and fetches the damaged ones. */
  async #fetchUntilRechecked(states: readonly SourceState[]): Promise<void> {
    await this.#fetch(states);
    const laid = this.#laid;
    const dropped = (await laid?.rechecked()) ?? 0;
    this.#options.signal?.throwIfAborted();
    if (laid === undefined || dropped === 0) return;
    this.#parts.logger.warn({ path: this.#partial.path, dropped }, 'leaves that the journal recorded were damaged');
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
      share: options.share,
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

  /** For provable bytes a validator decides nothing; a changed one only says that the file is worth a second read in one response. */
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

  /** Drops the bytes of suspect sources, so that they are fetched again. @returns the sources that may be asked now */
  async #dropSuspects(message: string): Promise<readonly SourceState[]> {
    const laid = this.#laid;
    const suspects = suspectsOf(laid?.board, (unit) => laid!.originInThisRun(unit), this.#states);
    this.#parts.logger.warn({ message, ...suspects.summary }, 'whole digest differs');
    const { culprit, trusted } = suspects;
    if (culprit?.hasChanged === true && !culprit.wasReadAgain) readInOneResponse(culprit);
    else if (culprit !== undefined) this.#consequences.convict(culprit, message);
    if (laid === undefined) {
      culprit?.wasteAll();
      return this.#states;
    }
    laid.drop(suspects.isSuspect);
    await this.#partial.checkpoint(false);
    const isSizeForgotten = culprit !== undefined && (await this.#layout.forgetSizeOf(culprit));
    if (!isSizeForgotten) await laid.restartDigest();
    return trusted === undefined ? this.#states : [trusted];
  }

  #onTick(): void {
    this.#takeJoined();
    this.#checkpointWhenDue();
    this.#report(false);
  }

  #takeJoined(): void {
    const { share, layers } = this.#options;
    if (share === undefined || !layers.includes('peer')) return;
    addJoined(this.#states, share.sources, this.#parts.now());
  }

  #report(isDue: boolean, board = this.#laid?.board): void {
    this.#progress.report(isDue, () => ({
      committedBytes: board?.doneBytes ?? 0,
      totalBytes: board?.grid.sizeBytes ?? this.#options.file.sizeBytes,
      frontierBytes: board?.frontierBytes ?? 0,
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

/** The source sent more than one version, so its bytes may be a mixture: the whole file is requested once more, in one response. */
function readInOneResponse(state: SourceState): void {
  state.wasReadAgain = true;
  if (state.mode === 'range') state.mode = 'stream';
}
