import { StorageError } from '#core/failure';
import { writeFully } from './file-operations.ts';
import type { Partial } from './partial.ts';

/** Takes a response whose length nobody knows: from its first byte, in one piece, never continued. */
export class UnsizedBody {
  sizeBytes = 0;
  readonly #partial: Partial;
  readonly #limitBytes: () => Promise<number>;
  #limit = 0;
  /** The write under way: a response that breaks off does not wait for it. */
  #writing: Promise<void> = Promise.resolve();

  /** @param limitBytes what the disk can take: an endless body must not fill it */
  constructor(partial: Partial, limitBytes: () => Promise<number>) {
    this.#partial = partial;
    this.#limitBytes = limitBytes;
  }

  /** Forgets what came before; to be called for each response, before its first byte. */
  async begin(): Promise<void> {
    // Its failure was told to the response that it belongs to.
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
