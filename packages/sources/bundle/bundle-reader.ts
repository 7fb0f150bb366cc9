import { basename } from 'node:path';
import type { ByteRange } from '#core/bytes/byte-range';
import { localBlocks, openLocal, statLocal } from '../local-bytes.ts';

/** Reads the bytes of a bundle, from a file or from a server. */
export interface BundleReader {
  /** Shown in messages; free of secrets. */
  readonly name: string;
  /** Key of limits and health. */
  readonly origin: string;
  /** @throws SourceError */
  sizeBytes(signal: AbortSignal): Promise<number>;
  /** The bytes of one range in order; fewer only at the end of the bundle. @throws SourceError */
  stream(range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** A bundle on this machine. Nothing is written beside it, so a read-only medium will do. */
export const localBundle = (path: string, name = `bundle ${basename(path)}`): BundleReader => ({
  name,
  origin: path,
  async sizeBytes() {
    const handle = await openLocal(name, path);
    try {
      return Number((await statLocal(name, handle)).size);
    } finally {
      await handle.close();
    }
  },
  async *stream(range, signal) {
    const handle = await openLocal(name, path);
    try {
      yield* localBlocks(name, handle, range, signal);
    } finally {
      await handle.close();
    }
  },
});

/** Reads one range into memory. */
export async function readRange(reader: BundleReader, range: ByteRange, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of reader.stream(range, signal)) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}
