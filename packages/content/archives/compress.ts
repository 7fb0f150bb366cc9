import { Duplex } from 'node:stream';
import zlib from 'node:zlib';
import type { Compression } from './decompress.ts';

/** @returns what compresses one stream as it comes, at the usual level of its format */
export function createCompressor(compression: Compression): Duplex {
  if (compression === 'gzip') return zlib.createGzip();
  const native = (zlib as { createZstdCompress?: () => Duplex }).createZstdCompress;
  return native === undefined ? Duplex.from(zstdInWasm) : native();
}

let isCompressing = false;

/** Node before 22.15 has no zstd. The library has one state for all streams, so one is compressed at a time. */
async function* zstdInWasm(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { Zstd } = await import('@hpcc-js/wasm-zstd');
  const zstd = await Zstd.load();
  if (isCompressing) throw new Error('another zstd stream is being compressed in this process');
  isCompressing = true;
  try {
    zstd.reset();
    zstd.setCompressionLevel(zstd.defaultCLevel());
    for await (const chunk of source) {
      const packed = zstd.compressChunk(chunk);
      if (packed.length > 0) yield packed;
    }
    yield zstd.compressEnd();
  } finally {
    isCompressing = false;
  }
}
