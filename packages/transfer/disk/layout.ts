import { dirname } from 'node:path';
import { sameBytes } from '#content/cid/byte-reader';
import { SourceError, type StorageError } from '#core/failure';
import { DEFAULT_BUDGETS } from '#core/policy';
import type { ResponseHead } from '#core/source';
import { isSameVersion } from '#core/validator';
import { LaidFile } from './laid-file.ts';
import { identityOf } from './partial.ts';
import type { RunParts } from '../run/run-parts.ts';
import type { SourceState } from '../run/source-state.ts';
import type { TryFile } from '../run/source-try.ts';
import type { SpanBoard } from '../plan/span-board.ts';
import { UnsizedBody } from './unsized-body.ts';

export interface LayoutEvents {
  /** The board shows what earlier runs left. */
  resumed(board: SpanBoard): void;
  /** Units are on the disk and on the board. */
  committed(): void;
  failed(error: StorageError): void;
}

/**
 * What a transfer has on the disk: how long the file is, who said so, and, where nothing will prove the bytes, which version they are
 * of. Another length or another version makes the file begin anew.
 */
export class Layout {
  readonly #parts: RunParts;
  readonly #events: LayoutEvents;
  readonly #unsized: UnsizedBody;
  #laid: LaidFile | undefined;
  /** Who said how long the file is, when nothing else tells. */
  #sizeFrom: SourceState | undefined;

  constructor(parts: RunParts, events: LayoutEvents) {
    const { partial, operations, options } = parts;
    this.#parts = parts;
    this.#events = events;
    this.#unsized = new UnsizedBody(partial, () => operations.freeBytes(dirname(options.partialPath)));
  }

  /** Undefined as long as the length of the file is not known. */
  get laid(): LaidFile | undefined {
    return this.#laid;
  }

  /** Lays the file out where its length is known: by the manifest, by the DAG, or by what an earlier run learned of the same file. */
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
      forget: () => this.#beginAnew(state),
    };
  }

  /** Credits a body of unknown length to who sent it. @returns its length */
  closeUnsized(): number {
    const { sizeBytes } = this.#unsized;
    if (this.#sizeFrom !== undefined) this.#sizeFrom.committedBytes = sizeBytes;
    return sizeBytes;
  }

  /** A source that lied about the bytes may have lied about their number: then it is learned anew. @returns whether it is */
  async forgetSizeOf(liar: SourceState): Promise<boolean> {
    if (liar !== this.#sizeFrom) return false;
    await this.#clear();
    for (const state of this.#parts.states) if (isOfOtherSize(state)) state.leftBecause = undefined;
    return true;
  }

  /**
   * A length that only a source told is as good as the source.
   *
   * @returns true when it was dropped, because no source of this run has it, or the one that told it has another one now
   */
  async believesOtherSize(): Promise<boolean> {
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

  /** Lays the file out for what an answer sends from its first byte; what is there already begins anew. */
  async #layFor(head: ResponseHead, state: SourceState): Promise<LaidFile | undefined> {
    const { totalBytes: sizeBytes } = head;
    const { minBytes = 0 } = this.#parts.options.file;
    if (sizeBytes !== undefined && sizeBytes < minBytes) {
      const message = `it has ${sizeBytes} bytes, at least ${minBytes} are expected`;
      throw new SourceError('size-mismatch', state.source.name, message);
    }
    await this.#beginAnew(state);
    this.#sizeFrom = state;
    const laid = sizeBytes === undefined ? undefined : await this.#lay(sizeBytes);
    state.validator = head.validator;
    return laid;
  }

  /** HR3, HR6: bytes that nothing will prove are all of one version, as one source showed it. */
  #continues(state: SourceState, head: ResponseHead): boolean {
    const board = this.#laid?.board;
    if (board === undefined || head.totalBytes !== board.grid.sizeBytes) return false;
    const isOwn = board.originOf(0) === state.index;
    if (board.doneBytes > 0 && !(isOwn && isSameVersion(state.validator, head.validator))) return false;
    state.validator = head.validator;
    return true;
  }

  /**
   * Bytes that nothing will prove go, from the journal too: it must never speak for those of another version. HT8: what is dropped was
   * progress when it came, so a source that makes us begin anew again and again has its own count.
   *
   * @throws SourceError when it did so too often
   */
  async #beginAnew(state: SourceState): Promise<void> {
    if (this.#laid === undefined) return;
    const hadBytes = this.#laid.board.doneBytes > 0;
    await this.#clear();
    if (!hadBytes) return;
    state.restarts += 1;
    if (this.#mayRestart(state)) return;
    const message = `it broke off ${state.restarts} times, and nothing shows that it would go on with the same bytes`;
    throw new SourceError('bad-response', state.source.name, message);
  }

  /** Nothing is on the disk any more, and nothing says how long the file is. */
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
