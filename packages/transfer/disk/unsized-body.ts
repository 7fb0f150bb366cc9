import { StorageError } from '#core/failure';
import { writeFully } from './file-operations.ts';
import type { Partial } from './partial.ts';

/** Takes a response of unknown length, from its first byte and in one piece; it is never continued. */
export class UnsizedBody {
  sizeBytes = 0;
  readonly #partial: Partial;
  readonly #limitBytes: () => Promise<number>;
  #limit = 0;
  /** The last write, which a response that breaks off does not wait for. */
  #writing: Promise<void> = Promise.resolve();

  /** @param limitBytes free bytes of the disk, which an endless body must not exceed */
  constructor(partial: Partial, limitBytes: () => Promise<number>) {
    this.#partial = partial;
    this.#limitBytes = limitBytes;
  }

  /** Drops earlier bytes. Call it for each response, before its first byte. */
  async begin(): Promise<void> {
    // The response of that write has handled its error.
    await this.#writing.catch(() => undefined);
    await this.#partial.clear();
    this.sizeBytes = 0;
    this.#limit = await this.#limitBytes();
  }

  write(chunk: Uint8Array): Promise<void> {
    this.#writing = this.#append(chunk.slice());
    return this.#writing;
  }

  async #append(bytes: Uint8Array): Promise<void> {
    const { path, file } = this.#partial;
    const position = this.sizeBytes;
    this.sizeBytes += bytes.length;
    if (this.sizeBytes > this.#limit)
      throw new StorageError(
        'disk-full',
        path,
        `a body of unknown length is larger than the disk: ${this.sizeBytes} bytes so far`,
      );
    try {
      await writeFully(file, bytes, position);
    } catch (error) {
      throw StorageError.from(error, path);
    }
  }
}
