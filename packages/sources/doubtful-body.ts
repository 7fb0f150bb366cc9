import { disguiseOf, TELLING_BYTES, type Disguise } from '#core/bytes/first-bytes';
import type { Doubt } from './response-head.ts';

/** The longest body that is held back until its length shows whether it is the file; pages and pointers are shorter. */
const MOST_HELD_BYTES = 256 * 1024;
/** A longer body that begins like a Git LFS pointer is something else. */
const MOST_POINTER_BYTES = 1024;

export interface DoubtfulBodyOptions extends Doubt {
  /** Exact length of the file when it is known; bytes. The head of the answer gives no length. */
  readonly sizeBytes: number | undefined;
  /** A digest or a CID proves the bytes. */
  readonly isProvable: boolean;
}

/**
 * Holds back the first bytes of a whole-file answer whose length is not known to fit. The answer may be a page of a captive portal, an error
 * in JSON or a Git LFS pointer. It is refused only if its first bytes show that and neither its length nor a digest can decide.
 */
export class DoubtfulBody {
  readonly #options: DoubtfulBodyOptions;
  #held: Buffer | undefined = Buffer.alloc(0);
  #disguise: Disguise | undefined;

  constructor(options: DoubtfulBodyOptions) {
    this.#options = options;
  }

  /** What the body seems to be instead of the file; undefined while it may be the file. */
  get disguise(): Disguise | undefined {
    return this.#disguise;
  }

  /** @returns the bytes that may be written now; 'refuse' for a body that is not the file */
  take(chunk: Uint8Array): Uint8Array | 'refuse' {
    if (this.#held === undefined) return chunk;
    this.#held = Buffer.concat([this.#held, chunk]);
    if (this.#held.length < TELLING_BYTES) return NOTHING;
    return this.#decide(false);
  }

  /** The body has ended. @returns what is still to be written; 'refuse' for a body that is not the file */
  end(): Uint8Array | 'refuse' {
    return this.#held === undefined ? NOTHING : this.#decide(true);
  }

  #decide(isWhole: boolean): Uint8Array | 'refuse' {
    const held = this.#held!;
    const { sizeBytes, isProvable } = this.#options;
    this.#disguise = this.#suspected(disguiseOf(held), held.length);
    if (this.#disguise === undefined) return this.#pass(held);
    if (sizeBytes === undefined) return isProvable ? this.#pass(held) : 'refuse';
    if (isWhole) return held.length === sizeBytes ? this.#pass(held) : 'refuse';
    return held.length > Math.min(MOST_HELD_BYTES, sizeBytes) ? this.#pass(held) : NOTHING;
  }

  /** A disguise counts only if both the Content-Type and the first bytes show it; a Git LFS pointer by its first bytes alone. */
  #suspected(shown: Disguise | undefined, bytes: number): Disguise | undefined {
    if (shown === 'a Git LFS pointer') return bytes <= MOST_POINTER_BYTES ? shown : undefined;
    return shown === this.#options.saysItIs ? shown : undefined;
  }

  #pass(bytes: Uint8Array): Uint8Array {
    this.#held = undefined;
    return bytes;
  }
}

const NOTHING = new Uint8Array(0);
