import type { LeafWriter } from '../disk/leaf-writer.ts';
import type { Claim, SpanBoard } from '../plan/span-board.ts';

/** Thrown to end a response whose further bytes are not needed; not a failure. */
export class SpanEnded extends Error {
  override readonly name = 'SpanEnded';
}

export interface CutterEvents {
  /**
   * The bytes of a unit are corrupt. May throw to end the stream.
   *
   * @param isFirst the unit is the first of its response
   */
  bad(unit: number, bytes: Uint8Array, isFirst: boolean): void;
  wasted(bytes: number): void;
}

/**
 * Cuts one stream at the borders of the grid. A complete unit is verified before it is written; a corrupt one is left out and the stream
 * continues. Only complete, accepted units reach the disk.
 */
export class LeafCutter {
  readonly #board: SpanBoard;
  readonly #writer: LeafWriter;
  readonly #claim: Claim;
  readonly #events: CutterEvents;
  readonly #firstUnit: number;
  #unit: number;
  #position: number;
  /** The current unit is not needed: its bytes are skipped. */
  #skips = false;
  #isInside = false;
  #block: Buffer | undefined;
  #blockFirst = 0;
  #blockBytes = 0;
  #verifiedBytes = 0;
  /** Bytes of accepted units so far. */
  acceptedBytes = 0;
  acceptedUnits = 0;

  /** @param firstUnit the stream begins with the first byte of this unit */
  constructor(board: SpanBoard, writer: LeafWriter, claim: Claim, firstUnit: number, events: CutterEvents) {
    this.#board = board;
    this.#writer = writer;
    this.#claim = claim;
    this.#events = events;
    this.#firstUnit = firstUnit;
    this.#unit = firstUnit;
    this.#position = firstUnit < board.grid.count ? board.grid.start(firstUnit) : board.grid.sizeBytes;
  }

  /**
   * Takes the next bytes of the stream; their memory is not kept.
   *
   * @throws SpanEnded when further bytes are not needed; the error that `bad` throws
   */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (!this.#isInside) this.#enter();
      const length = Math.min(chunk.length - at, this.#board.grid.end(this.#unit) - this.#position);
      if (this.#skips) this.#events.wasted(length);
      else this.#keep(chunk, at, length);
      at += length;
      this.#position += length;
      if (this.#position === this.#board.grid.end(this.#unit)) this.#leave();
    }
    this.#claim.arrivedTo = this.#position;
  }

  /** Writes verified bytes without waiting for a full block; the beginning of an unfinished unit moves to the next block. */
  handOver(): void {
    if (this.#verifiedBytes === 0) return;
    const begun = this.#block!.subarray(this.#verifiedBytes, this.#blockBytes);
    const next = begun.length > 0 ? this.#writer.takeBlock() : undefined;
    next?.set(begun);
    this.#flush();
    this.#block = next;
    this.#blockFirst = this.#unit;
    this.#blockBytes = begun.length;
  }

  /** Writes verified bytes; drops the beginning of an unfinished unit. */
  close(): void {
    if (this.#blockBytes > this.#verifiedBytes) this.#events.wasted(this.#blockBytes - this.#verifiedBytes);
    this.#blockBytes = this.#verifiedBytes;
    this.#flush();
  }

  #enter(): void {
    const { grid } = this.#board;
    if (this.#unit >= this.#claim.end) throw new SpanEnded();
    this.#skips = this.#board.isTaken(this.#unit) || this.#unit < this.#claim.first;
    if (this.#skips && !this.#hasMoreToDo()) throw new SpanEnded();
    this.#isInside = true;
    if (this.#skips) return this.#flush();
    const length = grid.end(this.#unit) - grid.start(this.#unit);
    if (this.#block !== undefined && this.#blockBytes + length > this.#block.length) this.#flush();
    if (this.#block === undefined) {
      this.#block = this.#writer.takeBlock();
      this.#blockFirst = this.#unit;
    }
  }

  #hasMoreToDo(): boolean {
    for (let unit = this.#unit; unit < this.#claim.end; unit += 1) {
      if (unit >= this.#claim.first && !this.#board.isTaken(unit)) return true;
    }
    return false;
  }

  #keep(chunk: Uint8Array, at: number, length: number): void {
    this.#block!.set(at === 0 && length === chunk.length ? chunk : chunk.subarray(at, at + length), this.#blockBytes);
    this.#blockBytes += length;
  }

  #leave(): void {
    const unit = this.#unit;
    this.#isInside = false;
    this.#unit += 1;
    this.#claim.next = Math.max(this.#claim.next, this.#unit);
    if (this.#skips) return;
    const bytes = this.#block!.subarray(this.#verifiedBytes, this.#blockBytes);
    if (this.#board.isTaken(unit)) return this.#reject(bytes.length);
    if (this.#board.grid.accepts(unit, bytes)) {
      this.#board.writing(unit);
      this.acceptedBytes += bytes.length;
      this.acceptedUnits += 1;
      this.#verifiedBytes = this.#blockBytes;
      if (this.#blockBytes === this.#block!.length || this.#unit >= this.#claim.end) this.#flush();
      return;
    }
    const copy = bytes.subarray(0, 64).slice();
    this.#reject(bytes.length);
    this.#events.bad(unit, copy, unit === this.#firstUnit);
  }

  #reject(bytes: number): void {
    this.#events.wasted(bytes);
    this.#blockBytes = this.#verifiedBytes;
    this.#flush();
  }

  #flush(): void {
    const block = this.#block;
    if (block === undefined) return;
    const bytes = this.#verifiedBytes;
    this.#block = undefined;
    this.#blockBytes = 0;
    this.#verifiedBytes = 0;
    if (bytes === 0) return this.#writer.giveBlock(block);
    let end = this.#blockFirst;
    const stop = this.#board.grid.start(this.#blockFirst) + bytes;
    while (end < this.#board.grid.count && this.#board.grid.end(end) <= stop) end += 1;
    this.#writer.submit({ buffer: block, bytes, first: this.#blockFirst, end, source: this.#claim.source });
  }
}
