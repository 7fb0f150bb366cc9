import { StorageError } from '#core/failure';
import type { ByteSink } from '#core/source';
import { writeFully } from './file-operations.ts';
import type { Partial } from './partial.ts';

/** Takes a response whose length nobody knows: from its first byte, in one piece, never continued. */
export class UnsizedBody implements ByteSink {
  sizeBytes = 0;
  readonly #partial: Partial;
  readonly #limitBytes: () => Promise<number>;
  #limit: Promise<number> | undefined;

  /** @param limitBytes what the disk can take: an endless body must not fill it */
  constructor(partial: Partial, limitBytes: () => Promise<number>) {
    this.#partial = partial;
    this.#limitBytes = limitBytes;
  }

  head(): void {
    this.sizeBytes = 0;
    this.#limit = this.#begin();
    // A failure is heard by the write that waits for the limit.
    this.#limit.catch(() => undefined);
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#append(chunk.slice());
  }

  async #begin(): Promise<number> {
    await this.#partial.clear();
    return this.#limitBytes();
  }

  async #append(bytes: Uint8Array): Promise<void> {
    const { path, file } = this.#partial;
    const position = this.sizeBytes;
    this.sizeBytes += bytes.length;
    if (this.sizeBytes > (await this.#limit!))
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
