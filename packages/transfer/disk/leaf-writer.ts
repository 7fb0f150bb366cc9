import { StorageError } from '#core/failure';
import { KIB, MIB } from '#core/units';
import { writeFully, type OpenFile } from './file-operations.ts';
import type { SpanBoard } from '../plan/span-board.ts';

/** Bytes are collected into blocks of this size; each block is one positioned write. */
export const BLOCK_BYTES = MIB;
/** Bytes in flight to the disk; beyond this the streams of the transfer wait. */
const MAX_IN_FLIGHT_BYTES = 2 * MIB;
/** Free blocks kept for the next transfers of the process. */
const MAX_SPARE_BLOCKS = 16;

const spare: Buffer[] = [];

/** Smaller files use memory of their own size; a whole block would be mostly empty. */
const LEAST_POOLED_BYTES = 256 * KIB;

/** @returns a block of at least this many bytes; first use of fresh memory is slow, so blocks are reused across files */
const takeBlock = (bytes: number): Buffer =>
  bytes > LEAST_POOLED_BYTES && bytes <= BLOCK_BYTES
    ? (spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES))
    : Buffer.allocUnsafe(bytes);

function giveBlock(block: Buffer): void {
  if (block.length === BLOCK_BYTES && spare.length < MAX_SPARE_BLOCKS) spare.push(block);
}

/** A run of whole units that may be written: `[first, end)`, whose bytes lie at the start of the buffer. */
export interface WritableRun {
  readonly buffer: Buffer;
  readonly bytes: number;
  readonly first: number;
  readonly end: number;
  readonly source: number;
}

export interface WriterEvents {
  /** The bytes are accepted; the memory is valid only during the call. */
  accepted(position: number, bytes: Uint8Array): void;
  /** The run is on the disk and on the board. */
  committed(run: WritableRun): void;
  failed(error: StorageError): void;
  /** Undefined when more may be written, else a promise for when it may. */
  behind?(): Promise<void> | undefined;
}

/**
 * Writes accepted runs at their offset, and then marks their units as done. One write at a time: the kernel serializes writes to a file,
 * and waiting writers spin.
 */
export class LeafWriter {
  readonly #file: OpenFile;
  readonly #path: string;
  readonly #board: SpanBoard;
  readonly #events: WriterEvents;
  readonly #blockBytes: number;
  readonly #queue: WritableRun[] = [];
  #isWriting = false;
  #inFlightBytes = 0;
  #waiting: (() => void)[] = [];
  #waitedMs = 0;
  /** When the first of the streams that wait now began to wait. */
  #waitsSince: number | undefined;

  constructor(file: OpenFile, path: string, board: SpanBoard, events: WriterEvents) {
    this.#file = file;
    this.#path = path;
    this.#board = board;
    this.#events = events;
    this.#blockBytes = Math.max(Math.min(BLOCK_BYTES, board.grid.sizeBytes), board.grid.maxUnitBytes);
  }

  takeBlock = (): Buffer => takeBlock(this.#blockBytes);
  giveBlock = (block: Buffer): void => giveBlock(block);

  /** Takes over the buffer of the run. */
  submit(run: WritableRun): void {
    this.#events.accepted(this.#board.grid.start(run.first), run.buffer.subarray(0, run.bytes));
    this.#inFlightBytes += run.bytes;
    this.#queue.push(run);
    if (!this.#isWriting) void this.#writeQueue();
  }

  async #writeQueue(): Promise<void> {
    this.#isWriting = true;
    for (let run = this.#queue.shift(); run !== undefined; run = this.#queue.shift()) {
      try {
        await writeFully(this.#file, run.buffer.subarray(0, run.bytes), this.#board.grid.start(run.first));
        this.#commit(run);
      } catch (error) {
        this.#events.failed(StorageError.from(error, this.#path));
      }
      this.#settle(run);
    }
    this.#isWriting = false;
  }

  /** @returns undefined when a stream may continue, else a promise for when it may */
  backpressure(): Promise<void> | undefined {
    if (this.#inFlightBytes <= MAX_IN_FLIGHT_BYTES) return this.#events.behind?.();
    this.#waitsSince ??= performance.now();
    return this.#below();
  }

  /** How long one or more streams waited for the disk; milliseconds. */
  get waitedMs(): number {
    return this.#waitedMs + (this.#waitsSince === undefined ? 0 : performance.now() - this.#waitsSince);
  }

  /** Resolves when no write is in flight. */
  async idle(): Promise<void> {
    while (this.#inFlightBytes > 0) await this.#below();
  }

  #commit(run: WritableRun): void {
    for (let unit = run.first; unit < run.end; unit += 1) this.#board.done(unit, run.source);
    this.#events.committed(run);
  }

  #settle(run: WritableRun): void {
    giveBlock(run.buffer);
    this.#inFlightBytes -= run.bytes;
    this.#waitedMs = this.waitedMs;
    this.#waitsSince = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  #below(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
