import { VerifyError } from '#core/failure';
import { showBytes } from '../formats/magic.ts';

/**
 * The largest window that is decoded: what `zstd -d` allows by itself, `--long=27` and `--ultra -22` included. The decoder keeps
 * a window in memory.
 */
export const MAX_WINDOW_BYTES = 128 * 1024 * 1024;

const FRAME_MAGIC = 0xfd2fb528;
/** The sixteen values from here on begin a skippable frame. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const CHECKSUM_BYTES = 4;
/** Magic, descriptor, window, dictionary, content size. */
const MAX_HEADER_BYTES = 4 + 1 + 1 + 4 + 8;

const BLOCK_HEADER_BYTES = 3;
const RUN_LENGTH = 1;
const RESERVED = 3;

/**
 * Cuts a zstd stream at the ends of its frames. Every frame says by its block headers where it ends, so nothing is decoded for
 * that. Skippable frames are left out.
 * The pieces are as the bytes came, and none has bytes of two frames.
 *
 * The native decoder of Node stops without an error at the end of the first frame unless that is the end of a write, and no
 * decoder says that a file was cut between two blocks.
 *
 * @throws VerifyError `wrong-format` that says what is wrong: cut, not zstd, trailing bytes, a window over 128 MiB, a dictionary
 * @see https://www.rfc-editor.org/rfc/rfc8878#section-3.1
 */
export async function* cutAtFrames(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const cutter = new FrameCutter();
  for await (const chunk of stream) yield* cutter.cut(chunk);
  cutter.end();
}

/** What a header says of the bytes behind it. */
interface Section {
  readonly headerBytes: number;
  readonly contentBytes: number;
  readonly endsFrame: boolean;
}

interface FrameSection extends Section {
  readonly isSkippable: boolean;
  readonly hasChecksum: boolean;
}

class FrameCutter {
  /** The header of the frame that is being read; undefined between frames. */
  #frame: FrameSection | undefined;
  #frameCount = 0;
  /** Bytes of the current section that have not come. */
  #leftBytes = 0;
  #endsFrame = false;
  /** The beginning of a header whose end has not come. */
  #held: Uint8Array = new Uint8Array(0);

  *cut(chunk: Uint8Array): Generator<Uint8Array> {
    let from = 0;
    for (let at = 0; at < chunk.length;) {
      if (this.#leftBytes > 0) at += this.#passOver(chunk.length - at);
      else {
        const heldBytes = this.#held.length;
        const header = this.#takeHeader(chunk, at);
        if (header === undefined) {
          yield* this.#piece(chunk.subarray(from, at));
          return;
        }
        at += header.length - heldBytes;
        if (heldBytes > 0) {
          yield* this.#piece(header);
          from = at;
        }
      }
      if (!this.#isAtEnd()) continue;
      yield* this.#piece(chunk.subarray(from, at));
      from = at;
      this.#frame = undefined;
    }
    yield* this.#piece(chunk.subarray(from));
  }

  end(): void {
    if (this.#frame === undefined && this.#held.length === 0) {
      if (this.#frameCount === 0) throw refused('is empty');
      return;
    }
    throw refused(`is damaged or truncated (it ends in the middle of frame ${Math.max(1, this.#frameCount)})`);
  }

  #passOver(mostBytes: number): number {
    const taken = Math.min(this.#leftBytes, mostBytes);
    this.#leftBytes -= taken;
    return taken;
  }

  /** @returns the bytes of the header, those held included; undefined when the chunk ends before it does */
  #takeHeader(chunk: Uint8Array, at: number): Uint8Array | undefined {
    const held = this.#held;
    const here = chunk.subarray(at, at + MAX_HEADER_BYTES - held.length);
    const head = held.length === 0 ? here : Buffer.concat([held, here]);
    const section =
      this.#frame === undefined
        ? this.#enterFrame(readFrameHeader(head, this.#frameCount))
        : readBlockHeader(head, this.#frame);
    this.#held = section === undefined ? head.slice() : new Uint8Array(0);
    if (section === undefined) return undefined;
    this.#leftBytes = section.contentBytes;
    this.#endsFrame = section.endsFrame;
    return head.subarray(0, section.headerBytes);
  }

  #enterFrame(frame: FrameSection | undefined): FrameSection | undefined {
    this.#frame = frame;
    if (frame !== undefined) this.#frameCount += 1;
    return frame;
  }

  *#piece(bytes: Uint8Array): Generator<Uint8Array> {
    if (bytes.length > 0 && this.#frame?.isSkippable !== true) yield bytes;
  }

  #isAtEnd(): boolean {
    return this.#frame !== undefined && this.#leftBytes === 0 && this.#endsFrame;
  }
}

/** @returns undefined when more bytes are needed */
function readFrameHeader(head: Uint8Array, framesBefore: number): FrameSection | undefined {
  if (head.length < 4) return undefined;
  const magic = littleEndian(head.subarray(0, 4));
  if (Math.floor(magic / 16) === SKIPPABLE_MAGIC / 16) return readSkippableHeader(head);
  if (magic !== FRAME_MAGIC) throw notAFrame(head, framesBefore);
  return head.length < 5 ? undefined : readZstdHeader(head, head[4]!);
}

function readSkippableHeader(head: Uint8Array): FrameSection | undefined {
  if (head.length < 8) return undefined;
  const contentBytes = littleEndian(head.subarray(4, 8));
  return { headerBytes: 8, contentBytes, endsFrame: true, isSkippable: true, hasChecksum: false };
}

function readZstdHeader(head: Uint8Array, descriptor: number): FrameSection | undefined {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryAt = isSingleSegment ? 5 : 6;
  const sizeAt = dictionaryAt + [0, 1, 2, 4][descriptor & 3]!;
  const headerBytes = sizeAt + [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  if (head.length < headerBytes) return undefined;
  if ((descriptor & 0x08) !== 0) throw refused('uses a reserved bit of its frame header; a newer program is needed');
  const dictionary = littleEndian(head.subarray(dictionaryAt, sizeAt));
  if (dictionary !== 0)
    throw refused(`needs the dictionary ${dictionary}, and none is known here; compress without a dictionary`);
  refuseWindow(isSingleSegment ? contentSizeOf(head.subarray(sizeAt, headerBytes)) : windowOf(head[5]!));
  const hasChecksum = (descriptor & 4) !== 0;
  return { headerBytes, contentBytes: 0, endsFrame: false, isSkippable: false, hasChecksum };
}

/** Two bytes hold the size less 256. */
const contentSizeOf = (bytes: Uint8Array): number => littleEndian(bytes) + (bytes.length === 2 ? 256 : 0);

function refuseWindow(bytes: number): void {
  if (bytes > MAX_WINDOW_BYTES)
    throw refused(
      `needs a window of ${bytes} bytes; at most ${MAX_WINDOW_BYTES} (128 MiB) are decoded: compress with --long=27 or less`,
    );
}

const refused = (reason: string): VerifyError => new VerifyError('wrong-format', `the zstd data ${reason}`);

function notAFrame(head: Uint8Array, framesBefore: number): VerifyError {
  const shown = showBytes(head.subarray(0, 8));
  return framesBefore === 0
    ? refused(`is damaged or something else: it starts with ${shown}, which no zstd frame does`)
    : refused(`has trailing bytes behind frame ${framesBefore} that are no zstd frame: ${shown}`);
}

/** Exponent in the upper five bits, eighths in the lower three. */
function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

const littleEndian = (bytes: Uint8Array): number => bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);

function readBlockHeader(head: Uint8Array, frame: FrameSection): Section | undefined {
  if (head.length < BLOCK_HEADER_BYTES) return undefined;
  const header = littleEndian(head.subarray(0, BLOCK_HEADER_BYTES));
  const [isLast, type, size] = [(header & 1) === 1, (header >> 1) & 3, header >> 3];
  if (type === RESERVED) throw refused('is damaged: a block has the reserved type');
  const contentBytes = (type === RUN_LENGTH ? 1 : size) + (isLast && frame.hasChecksum ? CHECKSUM_BYTES : 0);
  return { headerBytes: BLOCK_HEADER_BYTES, contentBytes, endsFrame: isLast };
}
