import type { ServerResponse } from 'node:http';
import type { ByteRange } from '#core/bytes/byte-range';
import { lengthOf } from '#core/bytes/byte-range';
import { VerifyError } from '#core/failure';
import { KIB } from '#core/units';

/** Content that is read by position. */
export interface Readable {
  readonly sizeBytes: number;
  /** @returns how many bytes were read; it may be fewer than asked for, and is 0 only behind the end */
  read(buffer: Uint8Array, position: number): Promise<number>;
  /**
   * Undefined where these bytes are proven; else resolves when they are, and rejects when they cannot be proven: with a VerifyError when
   * they turned out to be others.
   */
  proofOf(range: ByteRange): Promise<void> | undefined;
}

/** Enough for an answer without a body. */
export const withoutBytes = (sizeBytes: number): Readable => ({
  sizeBytes,
  proofOf: () => undefined,
  read: async () => 0,
});

export interface SendRangeOptions {
  /** Waits until that many bytes may be sent to this client. */
  readonly pace?: ((bytes: number) => Promise<void>) | undefined;
  /** Called when bytes that may have been sent turned out to be wrong, also when the client is gone. */
  readonly onWrong?: ((sent: ByteRange) => void) | undefined;
}

/** Bytes of one read and write. Larger ones leave the cache of the processor and are slower (docs/research/performance.md). */
const BLOCK_BYTES = 256 * KIB;
/** Answers at once that read one block while the other is sent; further ones have one, because others are sent while they read. */
const ANSWERS_WITH_TWO = 16;
/** Of content that is not proven yet, these last bytes wait for the proof. */
const HELD_BYTES = 64 * KIB;
const MAX_SPARE_BLOCKS = 32;

const spare: Buffer[] = [];
let answers = 0;

/** @returns what is read into, in turns. @param length bytes that are to be sent */
function takeBuffers(length: number): readonly Buffer[] {
  if (length <= BLOCK_BYTES / 2) return [Buffer.allocUnsafe(length)];
  return length > BLOCK_BYTES && answers <= ANSWERS_WITH_TWO ? [takeBlock(), takeBlock()] : [takeBlock()];
}

const takeBlock = (): Buffer => spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);

function giveBack(buffers: readonly Buffer[]): void {
  for (const buffer of buffers)
    if (buffer.length === BLOCK_BYTES && spare.length < MAX_SPARE_BLOCKS) spare.push(buffer);
}

/** The client is gone, or sends no more. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/**
 * Sends one run of bytes; where few clients are served, the next block is read while the last one is sent. The end of content that is not
 * proven yet is held back until it is.
 *
 * @throws ClientGone; what `read` and the proof reject with: then the caller breaks the connection
 */
export async function sendRange(
  response: ServerResponse,
  content: Readable,
  range: ByteRange,
  options: SendRangeOptions = {},
): Promise<void> {
  const proof = content.proofOf(range);
  const free = proof === undefined ? range.end : Math.max(range.start, range.end - HELD_BYTES);
  // The client may be gone before it is awaited, and come back for the rest.
  proof?.catch((error: unknown) => {
    if (error instanceof VerifyError) options.onWrong?.({ start: range.start, end: free });
  });
  answers += 1;
  try {
    await sendProven(response, content, { start: range.start, end: free }, options);
    if (proof === undefined) return;
    await proof;
    await sendProven(response, content, { start: free, end: range.end }, options);
  } finally {
    answers -= 1;
  }
}

async function sendProven(
  response: ServerResponse,
  content: Readable,
  { start, end }: ByteRange,
  { pace }: SendRangeOptions,
): Promise<void> {
  const buffers = takeBuffers(end - start);
  let sent: Promise<void> | undefined;
  for (let at = start, turn = 0; at < end; turn += 1) {
    const buffer = buffers[turn % buffers.length]!;
    if (buffers.length === 1) await sent;
    const bytes = await content.read(buffer.subarray(0, end - at), at);
    if (bytes === 0) throw new Error(`content ends at byte ${at}, before byte ${end}`);
    await pace?.(bytes);
    await sent;
    sent = write(response, buffer.subarray(0, bytes));
    // It may fail while the next block is read: it is awaited after that.
    sent.catch(() => undefined);
    at += bytes;
  }
  await sent;
  // After an error a block may still be on its way, so it is not given to another response.
  giveBack(buffers);
}

/** Resolves when the bytes are in the kernel. @throws ClientGone */
export function write(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    if (response.destroyed || response.socket?.destroyed !== false) {
      reject(new ClientGone('the client closed the connection'));
      return;
    }
    const onClose = (): void => reject(new ClientGone('the client closed the connection'));
    response.once('close', onClose);
    response.write(bytes, (error) => {
      response.off('close', onClose);
      if (error) reject(new ClientGone(error.message, { cause: error }));
      else resolve();
    });
  });
}

/** Bytes of all ranges together. */
export const sumOf = (ranges: readonly ByteRange[]): number => ranges.reduce((sum, range) => sum + lengthOf(range), 0);
