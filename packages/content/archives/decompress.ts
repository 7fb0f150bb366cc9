import * as zlib from 'node:zlib';
import { VerifyError } from '#core/failure';
import { showBytes } from '../formats/magic.ts';
import { decompressZstd, throughTransform } from './zstd.ts';

export type Compression = 'gzip' | 'zstd';

export interface DecompressLimits {
  /** Most bytes that may come out. */
  readonly maxBytes: number;
  /** Most bytes out per byte in, beyond `ratioFromBytes`. Weights compress 1 to 3 times, zeros about 1000 times. */
  readonly maxRatio: number;
  /** So many bytes may come out of any input: declared sizes, and short text, which compresses well. */
  readonly ratioFromBytes: number;
}

export const DECOMPRESS_LIMITS: DecompressLimits = { maxBytes: 2 ** 40, maxRatio: 1000, ratioFromBytes: 1024 * 1024 };

const GUNZIP_CHUNK_BYTES = 256 * 1024;
/** So many bytes tell what the data is. */
const HEAD_BYTES = 8;

/**
 * Decompresses a stream as it comes.
 *
 * @throws VerifyError `wrong-format` for damaged, truncated or exploding input; errors of the stream itself pass through
 */
export async function* decompress(
  stream: AsyncIterable<Uint8Array>,
  compression: Compression,
  limits: DecompressLimits = DECOMPRESS_LIMITS,
): AsyncGenerator<Uint8Array> {
  let [inBytes, outBytes] = [0, 0];
  let head: Uint8Array = new Uint8Array(0);
  let inputError: unknown;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of stream) {
        inBytes += chunk.length;
        if (head.length < HEAD_BYTES) head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES)]);
        yield chunk;
      }
    } catch (error) {
      inputError = error;
      throw error;
    }
  };
  const check = (bytes: number): void => {
    outBytes += bytes;
    if (outBytes > limits.maxBytes) throw refused(compression, `unpacks to more than ${limits.maxBytes} bytes`);
    if (outBytes - limits.ratioFromBytes > inBytes * limits.maxRatio)
      throw refused(compression, `unpacks to more than ${limits.maxRatio} times its size`);
  };
  try {
    for await (const chunk of DECODERS[compression](counted())) {
      check(chunk.length);
      yield chunk;
    }
  } catch (error) {
    if (inputError !== undefined) throw inputError;
    if (error instanceof VerifyError) throw error;
    if (compression === 'gzip' && !isGzip(head))
      throw refused(
        compression,
        `is damaged or something else: it starts with ${showBytes(head.subarray(0, HEAD_BYTES))}, which no gzip file does`,
        error,
      );
    const reason = String((error as { message?: unknown }).message ?? error);
    throw refused(compression, `is damaged or truncated (${reason})`, error);
  }
}

const refused = (compression: Compression, reason: string, cause?: unknown): VerifyError =>
  new VerifyError('wrong-format', `the ${compression} data ${reason}`, { cause });

const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b;

type Decoder = (stream: AsyncIterable<Uint8Array>) => AsyncGenerator<Uint8Array>;

const DECODERS: Readonly<Record<Compression, Decoder>> = {
  gzip: (stream) => throughTransform(stream, zlib.createGunzip({ chunkSize: GUNZIP_CHUNK_BYTES })),
  zstd: decompressZstd,
};
