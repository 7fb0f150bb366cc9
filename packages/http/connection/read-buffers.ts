import type { Socket } from 'node:net';
import { ReadPauses } from './read-pauses.ts';

/** 64 KiB to 1 MiB measure the same; two of these stay inside a core's cache. */
const BUFFER_BYTES = 256 * 1024;
/** Shorter reads are copied: cheaper than keeping a large buffer busy for them. */
const COPY_BELOW_BYTES = 4096;
/** One is being filled, one waits in the stream, one is held by the consumer. */
const MOST_BUFFERS = 3;
/** The longest plaintext of one record (RFC 8446 section 5.1). */
const TLS_RECORD_BYTES = 16 * 1024;

/**
 * Reused memory for everything one socket receives. By default Node allocates a buffer for each read, and the
 * garbage that leaves is the largest cost of a fast transfer. A buffer is handed to the kernel again only when
 * its bytes are read no more: the stream has been read empty, and the consumer does not hold a chunk.
 */
export class ReadBuffers {
  readonly #all: Uint8Array[] = [];
  readonly #busy = new Set<ArrayBufferLike>();
  #current: Uint8Array | undefined;
  readonly #pauses = new ReadPauses();
  /** Read from a slow link, and handed on when its pause ends. */
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #pause: NodeJS.Timeout | undefined;
  #inBody = false;
  /** True while a chunk handed to the consumer must stay as it is. */
  holding = false;

  /** Outside bodies every read is copied: a parser keeps pieces of headers across reads. */
  get inBody(): boolean {
    return this.#inBody;
  }

  /** @param lengthBytes undefined where it is not known */
  bodyBegins(lengthBytes: number | undefined): void {
    this.#inBody = true;
    this.#pauses.begin(lengthBytes, performance.now());
  }

  /** So many bytes of the body reached the consumer. */
  bodyPassed(bytes: number): void {
    this.#pauses.passed(bytes);
  }

  bodyEnds(): void {
    this.#inBody = false;
  }

  /** `onread` of net.connect and tls.connect. */
  onreadFor(socket: () => Socket): {
    buffer: () => Uint8Array;
    callback: (count: number, buffer: Uint8Array) => boolean;
  } {
    return {
      buffer: () => (this.#current ??= this.#idle() ?? this.#made()),
      callback: (count, buffer) => this.#push(socket(), count, buffer),
    };
  }

  /** @returns false to stop reading until the stream is read again */
  #push(socket: Socket, count: number, filled: Uint8Array): boolean {
    if (this.#waitingBytes === 0 && socket.readableLength === 0 && !this.holding) this.#busy.clear();
    if (!this.#inBody || count < COPY_BELOW_BYTES) {
      const copy = Buffer.from(filled.subarray(0, count));
      return !this.#keepsWaiting(socket, copy) && socket.push(copy);
    }
    const bytes = Buffer.from(filled.buffer, filled.byteOffset, count);
    const waits = this.#keepsWaiting(socket, bytes);
    if (!waits) socket.push(bytes);
    this.#busy.add(filled.buffer);
    const next = this.#idle();
    this.#current = next ?? restOf(filled, count) ?? this.#made();
    return !waits && next !== undefined && !this.holding;
  }

  /** Keeps the bytes until a pause ends; the stream that gets them then is read again, and with it the socket. */
  #keepsWaiting(socket: Socket, bytes: Buffer): boolean {
    const waitingBytes = this.#waitingBytes + bytes.length;
    const pauseMs = this.#inBody ? this.#pauses.after(bytes.length, waitingBytes, performance.now()) : 0;
    if (pauseMs === 0 || this.holding || socket.readableLength > 0) {
      this.#handOn(socket);
      return false;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes = waitingBytes;
    this.#pause ??= setTimeout(() => this.#handOn(socket), pauseMs);
    return true;
  }

  #handOn(socket: Socket): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#waitingBytes = 0;
    for (const bytes of this.#waiting.splice(0)) socket.push(bytes);
  }

  #idle(): Uint8Array | undefined {
    return this.#all.find((candidate) => !this.#busy.has(candidate.buffer));
  }

  /** Beyond MOST_BUFFERS a buffer is used once and forgotten. */
  #made(): Uint8Array {
    const made = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    if (this.#all.length < MOST_BUFFERS) this.#all.push(made);
    return made;
  }
}

/** TLS delivers record by record and does not stop at once: what is left of a buffer takes the next ones. */
function restOf(filled: Uint8Array, count: number): Uint8Array | undefined {
  return filled.byteLength - count >= TLS_RECORD_BYTES ? filled.subarray(count) : undefined;
}
