import { open, stat, type FileHandle } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { lengthOf, type ByteRange } from '#core/bytes/byte-range';
import type { LeafTable } from '#content/leaf/leaf-table';
import { codeOf } from '#core/error-facts';
import { ExhaustedError, StorageError, VerifyError } from '#core/failure';
import { SECOND_MS } from '#core/units';
import type { FileOperations, OpenFile } from '#transfer/disk/file-operations';
import { leavesAreRight, PROVEN_BY_LEAVES_BYTES } from '../blocks/contents.ts';
import type { Readable } from '../http/send-content.ts';

/** A file that is being fetched, as the clients that wait for it read it. */
export interface GrowingContent extends Readable {
  close(): Promise<void>;
}

/** Clients give up after ten seconds without an answer; headers are sent before, also when there is no byte yet. */
const FIRST_BYTE_MS = 8 * SECOND_MS;

interface Waiting {
  readonly position: number;
  readonly wake: () => void;
}

interface ReaderState {
  readEnd: number;
  /** Bytes that it had were written again. */
  isSpoilt: boolean;
  /** Its client may come back for the rest when the reader is closed, so what it had matters until the file is proven. */
  isUnproven: boolean;
}

interface OpenReader {
  readonly handle: FileHandle;
  readonly inode: number;
}

/**
 * Follows a transfer: readers get bytes in order once they are on the disk, and learn at the end whether what they read is what was
 * proven. A byte that is written again after a reader had it spoils that reader, so that its client never completes the file.
 */
export class GrowingFile {
  readonly sizeBytes: number;
  #path: string | undefined;
  #frontier = 0;
  #ended: { readonly error: unknown } | 'published' | undefined;
  /** Resolves when the file is proven and published; rejects when it cannot be had. */
  readonly done: Promise<void>;
  #settle!: { resolve: () => void; reject: (error: unknown) => void };
  readonly #waiting = new Set<Waiting>();
  readonly #readers = new Set<ReaderState>();
  readonly #table: LeafTable | undefined;

  /** @param table leaves of the file, by which a part of it is proven before all of it is here */
  constructor(sizeBytes: number, table?: LeafTable) {
    this.sizeBytes = sizeBytes;
    this.#table = table;
    this.done = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    // Every client may be gone by then.
    this.done.catch(() => undefined);
  }

  /** Resolves when the first byte can be read, or the transfer has ended in some way. */
  get started(): Promise<void> {
    return this.#isReadable(0) ? Promise.resolve() : this.#until(0);
  }

  /** Waits for the first byte, but not for longer than clients wait for an answer. @param askedAt when the request arrived, by `performance.now()` */
  async answerable(askedAt: number): Promise<'readable' | 'failed'> {
    const waitMs = Math.max(0, FIRST_BYTE_MS - (performance.now() - askedAt));
    await Promise.race([this.started, wait(waitMs, undefined, { ref: false })]);
    return this.hasFailed ? 'failed' : 'readable';
  }

  get hasFailed(): boolean {
    return typeof this.#ended === 'object';
  }

  /** Why the file cannot be had; undefined while it may come, and when it is here. */
  get failure(): unknown {
    return typeof this.#ended === 'object' ? this.#ended.error : undefined;
  }

  /** All bytes before this position are on the disk, in the file of this path. */
  advance(path: string, frontierBytes: number): void {
    this.#path = path;
    this.#frontier = frontierBytes;
    this.#wake();
  }

  /** @param path where the whole file is now */
  publish(path: string): void {
    this.#path = path;
    this.#frontier = this.sizeBytes;
    this.#ended = 'published';
    this.#settle.resolve();
    this.#wake();
  }

  fail(error: unknown): void {
    this.#ended = { error };
    this.#settle.reject(error);
    this.#wake();
  }

  /** The file operations of the transfer, watched for bytes that are written a second time. */
  watched(operations: FileOperations): FileOperations {
    return {
      ...operations,
      openPrivate: async (path) => this.#watchedFile(await operations.openPrivate(path)),
    };
  }

  /** Opens it for one client. */
  reader(): GrowingContent {
    const state = { readEnd: 0, isSpoilt: false, isUnproven: false };
    this.#readers.add(state);
    let opened: Promise<OpenReader> | undefined;
    return {
      sizeBytes: this.sizeBytes,
      proofOf: (range) => this.#proofOf(range, state, () => opened),
      read: async (buffer, position) => {
        while (!this.#isReadable(position)) await this.#until(position);
        if (typeof this.#ended === 'object') throw this.#ended.error;
        opened ??= this.#open();
        const length = Math.min(buffer.length, this.#frontier - position);
        state.readEnd = Math.max(state.readEnd, position + length);
        try {
          const { handle } = await opened;
          return (await handle.read(buffer, 0, length, position)).bytesRead;
        } catch (error) {
          throw StorageError.from(error, this.#path!);
        }
      },
      close: async () => {
        if (!state.isUnproven) this.#readers.delete(state);
        await (await opened)?.handle.close();
      },
    };
  }

  async #open(): Promise<OpenReader> {
    const path = this.#path!;
    try {
      return await openReader(path);
    } catch (error) {
      const isStill = this.#ended !== undefined && this.#path === path;
      if (codeOf(error) !== 'ENOENT' || isStill) throw StorageError.from(error, path);
      // All of it is here, and it is being given its final name.
      await this.done;
      return openReader(this.#path!);
    }
  }

  /**
   * A short range is proven by its leaves, where they are known; anything else when the whole file is. The first byte alone is given at once:
   * clients ask for it to learn the size. A file of one byte is proven with it.
   */
  #proofOf(
    range: ByteRange,
    state: ReaderState,
    openedOf: () => Promise<OpenReader> | undefined,
  ): Promise<void> | undefined {
    if (range.start === 0 && range.end === 1 && this.sizeBytes > 1) return undefined;
    state.isUnproven = true;
    const whole = (): Promise<void> => this.#wholeProof(state, openedOf);
    const table = this.#table;
    if (table === undefined || lengthOf(range) > PROVEN_BY_LEAVES_BYTES) return whole();
    return this.#hasRightLeaves(table, range).then((right) => (right && !state.isSpoilt ? undefined : whole()));
  }

  async #wholeProof(state: ReaderState, openedOf: () => Promise<OpenReader> | undefined): Promise<void> {
    try {
      await this.done;
    } catch (error) {
      throw this.#table === undefined && isOfWrongBytes(error) ? wrongBytes(error) : error;
    }
    const opened = await openedOf();
    const isOther = opened !== undefined && opened.inode !== (await stat(this.#path!)).ino;
    if (state.isSpoilt || isOther) throw wrongBytes(undefined);
  }

  async #hasRightLeaves(table: LeafTable, range: ByteRange): Promise<boolean> {
    const content = this.reader();
    try {
      return await leavesAreRight(content, table, range);
    } finally {
      await content.close();
    }
  }

  #isReadable(position: number): boolean {
    return this.#ended !== undefined || position < this.#frontier;
  }

  #until(position: number): Promise<void> {
    return new Promise((wake) => this.#waiting.add({ position, wake }));
  }

  #wake(): void {
    for (const waiting of this.#waiting) {
      if (!this.#isReadable(waiting.position)) continue;
      this.#waiting.delete(waiting);
      waiting.wake();
    }
  }

  #watchedFile(file: OpenFile): OpenFile {
    return {
      ...file,
      write: (buffer, position) => {
        this.#spoil(position);
        return file.write(buffer, position);
      },
      truncate: (sizeBytes) => {
        this.#spoil(sizeBytes);
        return file.truncate(sizeBytes);
      },
    };
  }

  /** Readers that are beyond this position have other bytes than the file will have. */
  #spoil(position: number): void {
    for (const reader of this.#readers) if (position < reader.readEnd) reader.isSpoilt = true;
  }
}

async function openReader(path: string): Promise<OpenReader> {
  const handle = await open(path, 'r');
  return { handle, inode: (await handle.stat()).ino };
}

const wrongBytes = (cause: unknown): VerifyError =>
  new VerifyError('wrong-digest', 'bytes that were sent already turned out to be wrong', { cause });

/** A file that cannot be had now may still be the one that its beginning is of. */
const isOfWrongBytes = (error: unknown): boolean =>
  error instanceof VerifyError ||
  (error instanceof ExhaustedError && error.failures.some(({ kind }) => kind === 'digest-mismatch'));
