import type { ServerResponse } from 'node:http';
import type { ByteRange } from '#core/bytes/byte-range';
import { lengthOf } from '#core/bytes/byte-range';
import { KIB } from '#core/units';

/** Content that is read by position. */
export interface Readable {
  readonly sizeBytes: number;
  /** @returns how many bytes were read; fewer than asked for at a disk's pleasure, 0 only behind the end */
  read(buffer: Uint8Array, position: number): Promise<number>;
  /** Undefined where these bytes are proven; else resolves when they are, and rejects when they turn out to be others. */
  proofOf(range: ByteRange): Promise<void> | undefined;
}

export interface SendPace {
  /** Waits until that many bytes may be sent to this client. */
  readonly pace?: ((bytes: number) => Promise<void>) | undefined;
}

/**
 * Bytes of one read and write. Two such buffers are in use for each response, so this bounds the memory of many clients. Larger ones leave
 * the cache of the processor and are slower (docs/research/performance.md).
 */
const BLOCK_BYTES = 256 * KIB;
/** Of content that is not proven yet, these last bytes wait for the proof. */
const HELD_BYTES = 64 * KIB;
const MAX_SPARE_BLOCKS = 32;

const spare: Buffer[] = [];
const takeBlock = (bytes: number): Buffer =>
  bytes < BLOCK_BYTES ? Buffer.allocUnsafe(bytes) : (spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES));
const giveBlock = (block: Buffer): void => {
  if (block.length === BLOCK_BYTES && spare.length < MAX_SPARE_BLOCKS) spare.push(block);
};

/** The client is gone, or sends no more. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/**
 * Sends one run of bytes, reading the next block while the last one is sent. The end of content that is not proven yet is held back
 * until it is.
 *
 * @throws ClientGone; what `read` and the proof reject with: then the caller breaks the connection
 */
export async function sendRange(
  response: ServerResponse,
  content: Readable,
  range: ByteRange,
  options: SendPace = {},
): Promise<void> {
  const proof = content.proofOf(range);
  // The client may be gone before it is awaited.
  proof?.catch(() => undefined);
  const free = proof === undefined ? range.end : Math.max(range.start, range.end - HELD_BYTES);
  await sendProven(response, content, { start: range.start, end: free }, options);
  if (proof === undefined) return;
  await proof;
  await sendProven(response, content, { start: free, end: range.end }, options);
}

async function sendProven(
  response: ServerResponse,
  content: Readable,
  { start, end }: ByteRange,
  { pace }: SendPace,
): Promise<void> {
  const blockBytes = Math.min(BLOCK_BYTES, end - start);
  let [reading, sending] = [takeBlock(blockBytes), takeBlock(blockBytes)];
  let sent: Promise<void> | undefined;
  for (let at = start; at < end;) {
    const wanted = Math.min(blockBytes, end - at);
    const bytes = await content.read(reading.subarray(0, wanted), at);
    if (bytes === 0) throw new Error(`content ends at byte ${at}, before byte ${end}`);
    await pace?.(bytes);
    await sent;
    sent = write(response, reading.subarray(0, bytes));
    // It is awaited in the next round: a client that leaves before must not end the process.
    sent.catch(() => undefined);
    [reading, sending] = [sending, reading];
    at += bytes;
  }
  await sent;
  // After an error a block may still be being sent, and is not given to another response.
  giveBlock(reading);
  giveBlock(sending);
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
