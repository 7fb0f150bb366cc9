import { dirname } from 'node:path';
import { sameBytes } from '#content/cid/byte-reader';
import { SourceError, type StorageError } from '#core/failure';
import { DEFAULT_BUDGETS } from '#core/policy';
import type { ResponseHead } from '#core/source';
import { isSameVersion } from '#core/bytes/validator';
import { readFully } from './file-operations.ts';
import { LaidFile } from './laid-file.ts';
import { identityOf } from './partial.ts';
import type { RunParts } from '../run/run-parts.ts';
import type { SourceState } from '../run/source-state.ts';
import type { TryFile } from '../run/source-try.ts';
import type { SpanBoard } from '../plan/span-board.ts';
import { UnsizedBody } from './unsized-body.ts';

export interface LayoutEvents {
  /** The board holds what earlier runs left. */
  resumed(board: SpanBoard): void;
  /** Units are on the disk and on the board. */
  committed(): void;
  failed(error: StorageError): void;
}

/**
 * What a transfer has on the disk: the size of the file, which source reported it, and the version of unproven bytes. Another size or
 * version restarts the file.
 */
export class Layout {
  readonly #parts: RunParts;
  readonly #events: LayoutEvents;
  readonly #unsized: UnsizedBody;
  #laid: LaidFile | undefined;
  /** The source that reported the size, if neither manifest nor DAG gives it. */
  #sizeFrom: SourceState | undefined;

  constructor(parts: RunParts, events: LayoutEvents) {
    const { partial, operations, options } = parts;
    this.#parts = parts;
    this.#events = events;
    this.#unsized = new UnsizedBody(partial, () => operations.freeBytes(dirname(options.partialPath)));
  }

  /** Undefined until the size of the file is known. */
  get laid(): LaidFile | undefined {
    return this.#laid;
  }

  /** Lays the file out if its size is known: from the manifest, the DAG, or the journal of an earlier run of the same file. */
  async begin(): Promise<void> {
    const { file, table } = this.#parts.options;
    const { found } = this.#parts.partial;
    const wasLearned = found.ok && sameBytes(found.journal.identity, identityOf(file));
    const sizeBytes = table?.sizeBytes ?? file.sizeBytes ?? (wasLearned ? found.journal.sizeBytes : undefined);
    if (sizeBytes !== undefined) await this.#lay(sizeBytes);
  }

  /** The file as a try at one source sees it. */
  fileOf(state: SourceState): TryFile {
    return {
      pinnedBytes: this.#parts.options.file.sizeBytes,
      unsized: this.#unsized,
      begin: (head) => this.#layFor(head, state),
      continues: (head) => this.#continues(state, head),
      forget: () => this.#restart(state),
      readBack: async (buffer, position) => void (await readFully(this.#parts.partial.file, buffer, position)),
    };
  }

  /** Counts a body of unknown length for its source. @returns its size */
  closeUnsized(): number {
    const { sizeBytes } = this.#unsized;
    if (this.#sizeFrom !== undefined) this.#sizeFrom.committedBytes = sizeBytes;
    return sizeBytes;
  }

  /** A source that sent wrong bytes may also have reported a wrong size: forgets that size. @returns whether it was forgotten */
  async forgetSizeOf(culprit: SourceState): Promise<boolean> {
    if (culprit !== this.#sizeFrom) return false;
    await this.#clear();
    for (const state of this.#parts.states) if (isOfOtherSize(state)) state.leftBecause = undefined;
    return true;
  }

  /**
   * Forgets a size that only a source reported.
   *
   * @returns true when it was forgotten, because no source of this run has that size, or its source now reports another one
   */
  async acceptsOtherSize(): Promise<boolean> {
    const { options, states } = this.#parts;
    if (this.#laid === undefined || options.table !== undefined || options.file.sizeBytes !== undefined) return false;
    const isVoid =
      this.#sizeFrom === undefined
        ? states.every(({ committedBytes }) => committedBytes === 0)
        : isOfOtherSize(this.#sizeFrom);
    const others = states.filter((state) => isOfOtherSize(state) && this.#mayRestart(state));
    if (!isVoid || others.length === 0) return false;
    await this.#clear();
    for (const state of others) {
      state.restarts += 1;
      state.leftBecause = undefined;
    }
    return true;
  }

  async #lay(sizeBytes: number): Promise<LaidFile> {
    this.#laid = await LaidFile.lay(this.#parts, sizeBytes, this.#events);
    return this.#laid;
  }

  /** Lays the file out for a response that begins at the first byte; drops what was there. */
  async #layFor(head: ResponseHead, state: SourceState): Promise<LaidFile | undefined> {
    const { totalBytes: sizeBytes } = head;
    const { minBytes = 0 } = this.#parts.options.file;
    if (sizeBytes !== undefined && sizeBytes < minBytes) {
      const message = `it has ${sizeBytes} bytes, at least ${minBytes} are expected`;
      throw new SourceError('size-mismatch', state.source.name, message);
    }
    await this.#restart(state);
    this.#sizeFrom = state;
    const laid = sizeBytes === undefined ? undefined : await this.#lay(sizeBytes);
    state.validator = head.validator;
    return laid;
  }

  /** Unproven bytes are all of one version, which one source showed. */
  #continues(state: SourceState, head: ResponseHead): boolean {
    const board = this.#laid?.board;
    if (board === undefined || head.totalBytes !== board.grid.sizeBytes) return false;
    const isOwn = board.originOf(0) === state.index;
    if (board.doneBytes > 0 && !(isOwn && isSameVersion(state.validator, head.validator))) return false;
    state.validator = head.validator;
    return true;
  }

  /**
   * Drops unproven bytes, also from the journal, which must never record bytes of another version. The dropped bytes counted as progress
   * when they arrived, so restarts are counted per source.
   *
   * @throws SourceError after too many restarts
   */
  async #restart(state: SourceState): Promise<void> {
    if (this.#laid === undefined) return;
    const hadBytes = this.#laid.board.doneBytes > 0;
    await this.#clear();
    if (!hadBytes) return;
    state.restarts += 1;
    if (this.#mayRestart(state)) return;
    const message = `it broke off ${state.restarts} times, and nothing shows that it would continue with the same bytes`;
    throw new SourceError('bad-response', state.source.name, message);
  }

  /** Removes all bytes from the disk and forgets the size of the file. */
  async #clear(): Promise<void> {
    const laid = this.#laid!;
    laid.drop(() => true);
    await laid.end();
    await this.#parts.partial.clear();
    this.#laid = undefined;
    this.#sizeFrom = undefined;
  }

  #mayRestart({ restarts, source }: SourceState): boolean {
    const { budgets = DEFAULT_BUDGETS } = this.#parts.options;
    return restarts < budgets[source.layer].triesPerSource;
  }
}

const isOfOtherSize = ({ leftBecause }: SourceState): boolean => leftBecause === 'size-mismatch';
