import { createHash } from 'node:crypto';
import { StorageError } from '#core/failure';
import type { Logger } from '#core/logger';
import { MIB, SECOND_MS } from '#core/units';
import type { FileOperations, OpenFile } from './file-operations.ts';
import {
  decodeJournal,
  encodeJournal,
  MAX_JOURNAL_BYTES,
  NO_NAME,
  setBit,
  type JournalName,
  type JournalReading,
} from './journal.ts';
import type { SpanBoard } from '../plan/span-board.ts';
import type { FileIdentity } from '../report/transfer-options.ts';

/**
 * Checkpoint after this many bytes or CHECKPOINT_MS, whichever comes first. Well under KILL_COSTS_BYTES, because more bytes arrive while
 * a checkpoint is written.
 */
const CHECKPOINT_BYTES = 24 * MIB;
/** The most bytes that a kill may cost: a file that is no longer has no checkpoints by size. */
const KILL_COSTS_BYTES = 64 * MIB;
/** The most bytes that may arrive while a checkpoint is written; on a slow disk the streams wait. */
const MEANWHILE_BYTES = 16 * MIB;
const CHECKPOINT_MS = 5 * SECOND_MS;

/** @returns the path of the journal of a partial; publishing removes the journal after the partial was published */
export const journalPathOf = (partialPath: string): string => `${partialPath}.journal`;

/** Identifies the file of a partial. The journal itself holds the size. */
export function identityOf(file: FileIdentity): Uint8Array {
  const digests = Object.entries(file.digests).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([file.cid ?? null, digests]))
    .digest();
}

/** Removes a partial and its journal; the journal first, so that it never describes another partial. */
export async function discardPartial(partialPath: string, operations: FileOperations): Promise<void> {
  await operations.remove(journalPathOf(partialPath));
  await operations.remove(`${journalPathOf(partialPath)}.new`);
  await operations.remove(partialPath);
}

/** The growing file and its journal. */
export class Partial {
  readonly path: string;
  readonly file: OpenFile;
  #found: JournalReading;
  #foundBytes: number;
  readonly #identity: Uint8Array;
  readonly #operations: FileOperations;
  readonly #now: () => number;
  #board: SpanBoard | undefined;
  #names: () => readonly JournalName[] = () => [];
  #uncommittedBytes = 0;
  #committedAt: number;
  #committing: Promise<void> | undefined;

  private constructor(
    path: string,
    file: OpenFile,
    found: JournalReading,
    identity: Uint8Array,
    operations: FileOperations,
    now: () => number,
  ) {
    this.path = path;
    this.file = file;
    this.#found = found;
    this.#foundBytes = file.sizeBytes;
    this.#identity = identity;
    this.#operations = operations;
    this.#now = now;
    this.#committedAt = now();
  }

  /** @throws StorageError */
  static async open(
    path: string,
    identity: Uint8Array,
    operations: FileOperations,
    now: () => number,
    logger: Logger,
  ): Promise<Partial> {
    try {
      const found = decodeJournal(await operations.readSmall(journalPathOf(path), MAX_JOURNAL_BYTES));
      if (!found.ok && found.reason !== 'absent') logger.warn({ path, reason: found.reason }, 'journal not usable');
      return new Partial(path, await operations.openPrivate(path), found, identity, operations, now);
    } catch (error) {
      throw StorageError.from(error, path);
    }
  }

  /** The journal as it was found; absent after `clear`. */
  get found(): JournalReading {
    return this.#found;
  }

  /** Length of the file as it was found; 0 after `clear`. */
  get foundBytes(): number {
    return this.#foundBytes;
  }

  /** Sets the board that checkpoints record in the journal. */
  follow(board: SpanBoard, names: () => readonly JournalName[]): void {
    this.#board = board;
    this.#names = names;
  }

  /** Forgets everything. The journal is removed durably before the file is truncated and can grow again. */
  async clear(): Promise<void> {
    this.#board = undefined;
    this.#found = { ok: false, reason: 'absent' };
    this.#foundBytes = 0;
    // A checkpoint in progress must not write a journal after the removal; the caller of that checkpoint handles its error.
    await this.#committing?.catch(() => undefined);
    this.#uncommittedBytes = 0;
    await this.#guard(async () => {
      await this.#operations.remove(journalPathOf(this.path));
      await this.file.truncate(0);
    });
  }

  /** The file is sparse and takes no space, but a file system that cannot hold a file of this size reports it now. */
  setSize(sizeBytes: number): Promise<void> {
    return this.#guard(() => this.file.truncate(sizeBytes));
  }

  /** Counts bytes that reached the disk. */
  wrote(bytes: number): void {
    this.#uncommittedBytes += bytes;
  }

  /** True when the next checkpoint is due and none is running. */
  get isDue(): boolean {
    if (this.#committing !== undefined || this.#uncommittedBytes === 0) return false;
    if (this.#now() - this.#committedAt >= CHECKPOINT_MS) return true;
    return this.#uncommittedBytes >= CHECKPOINT_BYTES && (this.#board?.grid.sizeBytes ?? 0) > KILL_COSTS_BYTES;
  }

  /** Resolves when more may be written; undefined when it may now. A kill costs all bytes since the last finished checkpoint. */
  get behind(): Promise<void> | undefined {
    const isBehind = this.#committing !== undefined && this.#uncommittedBytes >= MEANWHILE_BYTES;
    // The caller of the checkpoint handles its error.
    return isBehind ? this.#committing!.catch(() => undefined) : undefined;
  }

  /**
   * Makes finished units durable, in this order: the board is copied, the data is synced, the journal is replaced. So the journal never
   * records bytes that the disk may lose.
   *
   * @param isClean no write is in flight and none will follow: the next run does not search beyond the recorded units
   * @throws StorageError
   */
  async checkpoint(isClean: boolean): Promise<void> {
    await this.#committing;
    this.#committing = this.#guard(() => this.#commit(isClean)).finally(() => void (this.#committing = undefined));
    await this.#committing;
  }

  async close(): Promise<void> {
    await this.#committing?.catch(() => undefined);
    await this.#guard(() => this.file.close());
  }

  async #commit(isClean: boolean): Promise<void> {
    const board = this.#board;
    if (board === undefined) return;
    this.#uncommittedBytes = 0;
    this.#committedAt = this.#now();
    const bytes = encodeJournal({ ...snapshot(board), isClean, identity: this.#identity, names: this.#names() });
    await this.file.datasync();
    await this.#operations.replaceSmall(journalPathOf(this.path), bytes);
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw StorageError.from(error, this.path);
    }
  }
}

function snapshot(board: SpanBoard) {
  const { grid } = board;
  const bitmap = new Uint8Array(Math.ceil(grid.count / 8));
  const origins = new Uint16Array(grid.count).fill(NO_NAME);
  for (let unit = 0; unit < grid.count; unit += 1) {
    if (!board.isDone(unit)) continue;
    setBit(bitmap, unit);
    origins[unit] = board.originOf(unit);
  }
  return { bitmap, origins, gridHash: grid.hash, sizeBytes: grid.sizeBytes, count: grid.count };
}
