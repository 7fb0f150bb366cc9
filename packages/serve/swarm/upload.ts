import { KIB, SECOND_MS } from '#core/units';

/** The host that an upload goes to, as its connection shows it. */
export interface UploadReader {
  /** Bytes that the kernel took for it, over all answers of its connection. */
  readonly takenBytes: () => number;
  /** Bytes wait for it to read. Otherwise the upload waits for the disk, a proof or a limit of this server. */
  readonly isAwaited: () => boolean;
  /** Closes its connection. */
  readonly breakOff: () => void;
}

/** A reader is slow when the others take so many times as much: the share at which hosts leave a slow source (`packages/sources/peer/peer-pace.ts`). */
const FAR_LESS = 16;
/** A reader that takes less is slow, whatever the others take: the lease of a piece ends before the piece is there. */
const LEAST_BYTES_PER_SECOND = 32 * KIB;

/** One upload to another host. */
export class Upload {
  readonly reader: UploadReader;
  /** It is one of the uploads at once. */
  hasPlace = true;
  /** It began before the window did, so that it can be judged at the end of the window. */
  #isMeasured = false;
  #bytesBefore: number;

  constructor(reader: UploadReader) {
    this.reader = reader;
    this.#bytesBefore = reader.takenBytes();
  }

  /** Bytes that its reader took within the window. */
  get bytes(): number {
    return this.reader.takenBytes() - this.#bytesBefore;
  }

  /** Measures from now on. */
  beginWindow(): void {
    this.#isMeasured = true;
    this.#bytesBefore = this.reader.takenBytes();
  }

  /**
   * @param windowMs length of the window
   * @param othersBytes what another reader took within the window, on average
   * @returns undefined when it cannot be said: the upload began within the window, or does not wait for its reader
   */
  isSlow(windowMs: number, othersBytes: number): boolean | undefined {
    if (!this.#isMeasured || !this.reader.isAwaited()) return undefined;
    return this.bytes < Math.max((LEAST_BYTES_PER_SECOND * windowMs) / SECOND_MS, othersBytes / FAR_LESS);
  }
}
