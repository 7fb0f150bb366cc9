import { SourceError } from '#core/failure';
import { lengthOf } from '#core/bytes/byte-range';
import type { ByteSink, ReadRequest, ResponseHead } from '#core/source';
import { KIB, SECOND_MS } from '#core/units';
import { leafCid, unwrapLeafBlock } from '#content/leaf/leaf-block';
import { LeafCutter, SpanEnded } from '../proof/leaf-cutter.ts';
import { LeafError } from '../proof/bad-leaf.ts';
import { BLOCK_BYTES, type LeafWriter } from '../disk/leaf-writer.ts';
import type { SourceState } from './source-state.ts';
import type { Claim, SpanBoard } from '../plan/span-board.ts';
import { SpeedMeter } from '../report/speed-meter.ts';
import type { ByteLimit } from '../report/throttle.ts';
import type { SourceMode } from '../report/transfer-options.ts';
import type { UnsizedBody } from '../disk/unsized-body.ts';

/** Board and writer of a file whose size is known. */
export interface Ground {
  readonly board: SpanBoard;
  readonly writer: LeafWriter;
}

/** The file of a transfer as a try at one source sees it. */
export interface TryFile {
  /** Its length if the manifest or the caller gives it. */
  readonly pinnedBytes: number | undefined;
  /**
   * Lays the file out for a response that begins at the first byte, and drops what was there. Resolves with undefined if the head does
   * not give the length.
   *
   * @throws SourceError after too many restarts
   */
  begin(head: ResponseHead): Promise<Ground | undefined>;
  /** Whether a response may continue unproven bytes: it is certainly of their version, or there are none. */
  continues(head: ResponseHead): boolean;
  /** Drops the unproven bytes because of a response that cannot be used itself. @throws SourceError after too many restarts */
  forget(): Promise<void>;
  /** Fills the buffer with bytes that are on the disk. */
  readBack(buffer: Uint8Array, position: number): Promise<void>;
  /** Takes a response of unknown length. */
  readonly unsized: UnsizedBody;
}

/** What a try needs of its transfer. */
export interface TryContext {
  readonly now: () => number;
  readonly throttles: readonly ByteLimit[];
  /** A unit is corrupt: excludes the source from it and counts it. @throws when the response is of no more use */
  onBad(state: SourceState, unit: number, head: Uint8Array, isFirst: boolean): void;
  /** The source does not have the block. @returns whether it may have others */
  onMissing(state: SourceState, unit: number): boolean;
  onHead(state: SourceState, head: ResponseHead): void;
}

/** A stream that takes longer to fill a block hands over its verified bytes, so that they are not fetched twice. */
const SLOW_BLOCK_MS = SECOND_MS;

/** One try at one source while it runs, and its counts. */
export class SourceTry {
  readonly state: SourceState;
  readonly controller = new AbortController();
  readonly meter: SpeedMeter;
  readonly startedAt: number;
  /** Mode of this try; the mode of the source may change meanwhile. */
  readonly mode: SourceMode;
  claim: Claim | undefined;
  latencyMs: number | undefined;
  bytes = 0;
  acceptedBytes = 0;
  wastedBytes = 0;
  badLeaves = 0;
  readonly #context: TryContext;
  #cutter: LeafCutter | undefined;
  #handedOverAt: number;
  #sinkError: unknown;
  /** Accepted units of the stream that are counted in the state of the source. */
  #unitsCounted = 0;

  constructor(state: SourceState, context: TryContext) {
    this.state = state;
    this.#context = context;
    this.mode = state.mode;
    this.startedAt = context.now();
    this.#handedOverAt = this.startedAt;
    this.meter = new SpeedMeter(this.startedAt);
  }

  /** Fetches the claim in one response: as a range, or as the whole file if the source serves no ranges. */
  async readSpan(ground: Ground, claim: Claim): Promise<void> {
    const { grid } = ground.board;
    const range = { start: grid.start(claim.first), end: grid.end(claim.end - 1) };
    const isWhole = this.mode === 'stream';
    if (isWhole) ground.board.extend(claim);
    this.begin(ground, claim, isWhole ? 0 : claim.first);
    await this.read(isWhole ? { sizeBytes: grid.sizeBytes } : { range, sizeBytes: grid.sizeBytes }, {
      head: (head) => {
        this.headArrived(head);
        if (head.start !== (isWhole ? 0 : range.start))
          throw this.#failure('range-refused', `it answered from position ${head.start}, not ${range.start}`);
        const goesOn = !isWhole && this.state.source.capabilities().range === false;
        if (goesOn && (head.end ?? grid.sizeBytes) > range.end) ground.board.extend(claim);
      },
      write: (chunk) => this.take(ground, chunk),
    });
    if (!isWhole && this.bytes === 0 && lengthOf(range) > 0)
      throw this.#failure('interrupted', 'it ended the response without a byte');
  }

  /** Fetches the claim leaf by leaf as raw blocks. */
  async readBlocks(ground: Ground, claim: Claim): Promise<void> {
    this.claim = claim;
    const { board } = ground;
    for (; claim.next < claim.end; claim.next += 1) {
      const unit = claim.next;
      if (board.passesOver(claim, unit)) continue;
      await this.#readBlockIfThere(ground, unit);
      await ground.writer.backpressure();
    }
  }

  /** A block that the source does not have is no failure while it may have others. */
  async #readBlockIfThere(ground: Ground, unit: number): Promise<void> {
    try {
      await this.#readBlock(ground, unit);
    } catch (error) {
      const isMissing = error instanceof SourceError && error.kind === 'missing';
      if (!isMissing || !this.#context.onMissing(this.state, unit)) throw error;
    }
  }

  /** Call it at regular moments. */
  tick(now: number): void {
    this.meter.tick(now);
    if (now - this.#handedOverAt < SLOW_BLOCK_MS) return;
    this.#handedOverAt = now;
    if ((this.meter.rate(now) * SLOW_BLOCK_MS) / SECOND_MS < BLOCK_BYTES) this.#cutter?.handOver();
  }

  /** A response that ended without an error and without a whole unit is a failure; otherwise it would be requested again without end. */
  fruitless(): SourceError | undefined {
    const { claim, acceptedBytes, badLeaves, wastedBytes } = this;
    if (claim === undefined || claim.next >= claim.end || acceptedBytes > 0 || badLeaves > 0 || wastedBytes > 0)
      return undefined;
    if (this.state.isLeft || this.controller.signal.aborted) return undefined;
    return new SourceError(
      'interrupted',
      this.state.source.name,
      'it ended the response before one piece was complete',
    );
  }

  /** Hands over verified bytes and adds the counts of the try to those of the source. */
  close(): void {
    this.#cutter?.close();
    this.acceptedBytes += this.#cutter?.acceptedBytes ?? 0;
    this.#countUnits();
    this.state.wastedBytes += this.wastedBytes;
  }

  async #readBlock(ground: Ground, unit: number): Promise<void> {
    const { board, writer } = ground;
    const table = board.grid.table!;
    const length = board.grid.end(unit) - board.grid.start(unit);
    const cid = leafCid(table, unit)!;
    const block = await this.state.source.readBlock!(cid, length + 4 * KIB, this.controller.signal);
    this.latencyMs ??= this.#context.now() - this.startedAt;
    this.#count(block.length);
    const leaf = unwrapLeafBlock(table, unit, block);
    if (leaf.is === 'unexpected-shape')
      throw new LeafError('invalid-dag', unit, `block ${cid} is not the leaf that the DAG describes`);
    if (leaf.is === 'wrong') {
      this.#bad(unit, block, false);
    } else if (board.isTaken(unit)) {
      this.wastedBytes += length;
    } else {
      board.writing(unit);
      const buffer = writer.takeBlock();
      buffer.set(leaf.bytes);
      this.acceptedBytes += length;
      this.state.gave();
      writer.submit({ buffer, bytes: length, first: unit, end: unit + 1, source: this.state.index });
    }
    await this.#throttled(block.length);
  }

  /** Starts a response to the claim whose first byte is that of `firstUnit`. */
  begin(ground: Ground, claim: Claim, firstUnit: number): void {
    this.claim = claim;
    this.#cutter = new LeafCutter(ground.board, ground.writer, claim, firstUnit, {
      bad: (unit, head, isFirst) => this.#bad(unit, head, isFirst),
      wasted: (bytes) => void (this.wastedBytes += bytes),
    });
  }

  /** A sink that throws ends the response; its own error is reported rather than the error that the source makes of it. */
  async read(request: ReadRequest, sink: ByteSink): Promise<void> {
    const guarded: ByteSink = {
      head: (head) => void this.#remember(() => sink.head(head)),
      write: (chunk) =>
        this.#remember(() => {
          this.controller.signal.throwIfAborted();
          return sink.write(chunk);
        }),
    };
    try {
      await this.state.source.read(request, guarded, this.controller.signal);
    } catch (error) {
      throw this.#sinkError ?? error;
    }
    if (this.#sinkError !== undefined) throw this.#sinkError;
  }

  #remember(work: () => void | Promise<void>): void | Promise<void> {
    const keep = (error: unknown): never => {
      this.#sinkError ??= error;
      throw error;
    };
    try {
      return work()?.catch(keep);
    } catch (error) {
      return keep(error);
    }
  }

  headArrived(head: ResponseHead): void {
    this.latencyMs = this.#context.now() - this.startedAt;
    this.state.latencyMs = this.latencyMs;
    this.#context.onHead(this.state, head);
  }

  /** Takes the next bytes of the response. */
  take(ground: Ground, chunk: Uint8Array): void | Promise<void> {
    this.#count(chunk.length);
    if (this.#cutter === undefined) throw new SpanEnded();
    this.#cutter.push(chunk);
    const throttled = this.#throttled(chunk.length);
    const written = ground.writer.backpressure();
    if (throttled === undefined) return written;
    return written === undefined ? throttled : Promise.all([throttled, written]).then(() => undefined);
  }

  #throttled(bytes: number): Promise<void> | undefined {
    let waits: Promise<void>[] | undefined;
    for (const throttle of this.#context.throttles) {
      const wait = throttle.take(bytes, this.controller.signal);
      if (wait !== undefined) (waits ??= []).push(wait);
    }
    return waits === undefined ? undefined : Promise.all(waits).then(() => undefined);
  }

  #count(bytes: number): void {
    const now = this.#context.now();
    this.bytes += bytes;
    this.meter.add(bytes, now);
    this.state.meter.add(bytes, now);
  }

  /** Counts the accepted units of the current stream, so that a bad leaf is compared with all leaves of the source. */
  #countUnits(): void {
    const accepted = this.#cutter?.acceptedUnits ?? 0;
    this.state.leavesSeen += accepted - this.#unitsCounted;
    this.#unitsCounted = accepted;
  }

  #bad(unit: number, head: Uint8Array, isFirst: boolean): void {
    this.badLeaves += 1;
    this.#countUnits();
    if (this.mode === 'blocks') this.wastedBytes += head.length;
    this.#context.onBad(this.state, unit, head, isFirst);
  }

  #failure(kind: 'range-refused' | 'interrupted', message: string): SourceError {
    return new SourceError(kind, this.state.source.name, message);
  }
}
