import { Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import { Decompress } from 'fzstd';
import { VerifyError } from '#core/failure';

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

/** So little goes in at once that what comes out of it fits the memory, whatever it is. */
const PIECE_BYTES = 2048;

/**
 * Decompresses a stream as it comes.
 *
 * @throws VerifyError `wrong-format` for damaged, truncated (L03) or exploding input; errors of the stream itself pass through
 */
export async function* decompress(
  stream: AsyncIterable<Uint8Array>,
  compression: Compression,
  limits: DecompressLimits = DECOMPRESS_LIMITS,
): AsyncGenerator<Uint8Array> {
  let [inBytes, outBytes] = [0, 0];
  let inputError: unknown;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of stream) {
        inBytes += chunk.length;
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
    yield* decoderOf(compression)(counted(), check);
  } catch (error) {
    if (inputError !== undefined) throw inputError;
    if (error instanceof VerifyError) throw error;
    const reason = String((error as { message?: unknown }).message ?? error);
    throw refused(compression, `is damaged or truncated (${reason})`, error);
  }
}

const refused = (compression: Compression, reason: string, cause?: unknown): VerifyError =>
  new VerifyError('wrong-format', `the ${compression} data ${reason}`, { cause });

type Decoder = (stream: AsyncIterable<Uint8Array>, check: (bytes: number) => void) => AsyncGenerator<Uint8Array>;

function decoderOf(compression: Compression): Decoder {
  if (compression === 'gzip') return throughNode(() => zlib.createGunzip());
  const native = (zlib as { createZstdDecompress?: () => zlib.Gunzip }).createZstdDecompress;
  return native === undefined ? zstdInScript : throughNode(native);
}

const throughNode = (create: () => zlib.Gunzip): Decoder =>
  async function* (stream, check) {
    const input = Readable.from(stream, { objectMode: false });
    const decoder = create();
    input.once('error', (error) => decoder.destroy(error));
    try {
      for await (const chunk of input.pipe(decoder) as AsyncIterable<Uint8Array>) {
        check(chunk.length);
        yield chunk;
      }
    } finally {
      input.destroy();
      decoder.destroy();
    }
  };

/** Node before 22.15 has no zstd. */
async function* zstdInScript(
  stream: AsyncIterable<Uint8Array>,
  check: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let ready: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => {
    check(chunk.length);
    ready.push(chunk);
  });
  for await (const chunk of stream)
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      decoder.push(chunk.slice(at, at + PIECE_BYTES));
      yield* ready;
      ready = [];
    }
  decoder.push(new Uint8Array(0), true);
  yield* ready;
}
