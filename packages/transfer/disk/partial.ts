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
 * What a crash may cost: so much, or what arrived in so long. Well under the 64 MiB that a kill may cost, because more arrives
 * while a checkpoint is being written.
 */
const CHECKPOINT_BYTES = 24 * MIB;
/** A kill may cost this much anyway: a file that is no longer is not synced on the way, unless it is slow. */
const KILL_COSTS_BYTES = 64 * MIB;
/** What may arrive while a checkpoint is being written; on a disk that takes long for it the streams wait. */
const MEANWHILE_BYTES = 16 * MIB;
const CHECKPOINT_MS = 5 * SECOND_MS;

/** @returns where the journal of a partial lies; whoever publishes the partial removes it afterwards */
export const journalPathOf = (partialPath: string): string => `${partialPath}.journal`;

/** Names the file a partial belongs to. The size stands in the journal itself. */
export function identityOf(file: FileIdentity): Uint8Array {
  const digests = Object.entries(file.digests).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([file.cid ?? null, digests]))
    .digest();
}

/** Removes a partial and its journal; the journal first, so that none is left to speak of a partial that is another one. */
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

  /** The journal as it was found; absent once it was cleared. */
  get found(): JournalReading {
    return this.#found;
  }

  /** Length of the file as it was found; 0 once it was cleared. */
  get foundBytes(): number {
    return this.#foundBytes;
  }

  /** From here on the journal tells what is on the board. */
  follow(board: SpanBoard, names: () => readonly JournalName[]): void {
    this.#board = board;
    this.#names = names;
  }

  /** Forgets everything: the journal is gone for good before the file is emptied, and before it can grow again. */
  async clear(): Promise<void> {
    this.#board = undefined;
    this.#found = { ok: false, reason: 'absent' };
    this.#foundBytes = 0;
    // A journal that is being written must not come after the one that is removed; its failure is told by who began it.
    await this.#committing?.catch(() => undefined);
    this.#uncommittedBytes = 0;
    await this.#guard(async () => {
      await this.#operations.remove(journalPathOf(this.path));
      await this.file.truncate(0);
    });
  }

  /** Sparse: takes no space, but a file system that cannot hold such a file says so now (G17). */
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

  /** Resolves when more may be written: a kill now would cost all that came since the checkpoint before the one that is running. */
  get behind(): Promise<void> | undefined {
    const isBehind = this.#committing !== undefined && this.#uncommittedBytes >= MEANWHILE_BYTES;
    // Its failure is told by whoever began it.
    return isBehind ? this.#committing!.catch(() => undefined) : undefined;
  }

  /**
   * Makes what is done durable, in this order: the board is copied, the data is synced, the journal is replaced.
   * So the journal never claims what the disk may lose.
   *
   * @param isClean nothing is being written any more, and nothing will be: the next run needs to look for no more than is claimed
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
