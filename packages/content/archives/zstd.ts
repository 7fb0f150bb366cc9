import { Readable } from 'node:stream';
import zlib from 'node:zlib';
import { cutAtFrames } from './zstd-frames.ts';
import { decodeInWasm } from './zstd-wasm.ts';

const OUTPUT_BYTES = 256 * 1024;

/**
 * Decompresses every frame of a zstd stream; checksums are verified where frames have them.
 *
 * @throws Error that says what is wrong with the data
 */
export function decompressZstd(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const native = (zlib as { createZstdDecompress?: NativeDecoder }).createZstdDecompress;
  const pieces = cutAtFrames(stream);
  return native === undefined ? decodeInWasm(pieces, OUTPUT_BYTES) : decodeNatively(pieces, native);
}

/** Node has zstd from 22.15 on. */
type NativeDecoder = (options: zlib.ZlibOptions) => zlib.Gunzip;

/** The native decoder goes on with the next frame when each write ends where a frame does. Without any bytes it fails on Node 24. */
async function* decodeNatively(pieces: AsyncGenerator<Uint8Array>, create: NativeDecoder): AsyncGenerator<Uint8Array> {
  const first = await pieces.next();
  if (first.done === true) return;
  const all = async function* (): AsyncGenerator<Uint8Array> {
    yield first.value;
    yield* pieces;
  };
  yield* throughTransform(all(), create({ chunkSize: OUTPUT_BYTES }));
}

/** Reads what a decoder of Node makes of a stream, one write for each chunk; errors of either end it, and both are closed. */
export async function* throughTransform(
  stream: AsyncIterable<Uint8Array>,
  decoder: zlib.Gunzip,
): AsyncGenerator<Uint8Array> {
  const input = Readable.from(stream, { objectMode: true, highWaterMark: 1 });
  input.once('error', (error) => decoder.destroy(error));
  try {
    yield* input.pipe(decoder) as AsyncIterable<Uint8Array>;
  } finally {
    input.destroy();
    decoder.destroy();
  }
}
