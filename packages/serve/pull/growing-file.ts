import { open, stat, type FileHandle } from 'node:fs/promises';
import type { ByteRange } from '#core/bytes/byte-range';
import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import type { FileOperations, OpenFile } from '#transfer/disk/file-operations';
import type { Readable } from '../http/send-content.ts';

/** A file that is being fetched, as the clients that wait for it read it. */
export interface GrowingContent extends Readable {
  close(): Promise<void>;
}

interface Waiting {
  readonly position: number;
  readonly wake: () => void;
}

/** Bytes that were read before they were proven must not have been written again since. */
class Rewritten extends Error {
  override readonly name = 'Rewritten';
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
  readonly #readers = new Set<{ readEnd: number; isSpoilt: boolean }>();

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
    this.done = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    // Every client may be gone by then.
    this.done.catch(() => undefined);
  }

  /** Resolves when the first byte can be read, or the transfer has ended in some way. */
  get started(): Promise<void> {
    return this.#isReadable(0) ? Promise.resolve() : this.#until(0);
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
    const state = { readEnd: 0, isSpoilt: false };
    this.#readers.add(state);
    let handle: Promise<FileHandle> | undefined;
    return {
      sizeBytes: this.sizeBytes,
      proofOf: (range) => this.#proofOf(range, state, () => handle),
      read: async (buffer, position) => {
        while (!this.#isReadable(position)) await this.#until(position);
        if (typeof this.#ended === 'object') throw this.#ended.error;
        handle ??= this.#open();
        const length = Math.min(buffer.length, this.#frontier - position);
        state.readEnd = Math.max(state.readEnd, position + length);
        try {
          return (await (await handle).read(buffer, 0, length, position)).bytesRead;
        } catch (error) {
          throw StorageError.from(error, this.#path!);
        }
      },
      close: async () => {
        this.#readers.delete(state);
        await (await handle)?.close();
      },
    };
  }

  async #open(): Promise<FileHandle> {
    const path = this.#path!;
    try {
      return await open(path, 'r');
    } catch (error) {
      const isStill = this.#ended !== undefined && this.#path === path;
      if (codeOf(error) !== 'ENOENT' || isStill) throw StorageError.from(error, path);
      // All of it is here, and it is being given its final name.
      await this.done;
      return open(this.#path!, 'r');
    }
  }

  /**
   * Nothing is proven before the whole file is. One byte alone is given at once: clients ask for it to learn the size, and a file of one
   * byte is proven with it.
   */
  #proofOf(
    range: ByteRange,
    state: { readonly isSpoilt: boolean },
    handleOf: () => Promise<FileHandle> | undefined,
  ): Promise<void> | undefined {
    if (range.end - range.start === 1 && this.sizeBytes > 1) return undefined;
    return this.done.then(async () => {
      const handle = await handleOf();
      const isOther = handle !== undefined && (await handle.stat()).ino !== (await stat(this.#path!)).ino;
      if (state.isSpoilt || isOther) throw new Rewritten('bytes that were sent already turned out to be wrong');
    });
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
