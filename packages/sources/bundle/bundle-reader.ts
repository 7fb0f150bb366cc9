import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ByteRange } from '#core/byte-range';
import { codeOf } from '#core/error-facts';
import { SourceError } from '#core/failure';

/** Where the bytes of a bundle are: a file, or whatever serves byte ranges. */
export interface BundleReader {
  /** For people; free of secrets. */
  readonly name: string;
  /** What limits and health belong to. */
  readonly origin: string;
  /** @throws SourceError */
  sizeBytes(signal: AbortSignal): Promise<number>;
  /** The bytes of one range in order; fewer only at the end of the bundle. @throws SourceError */
  stream(range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

const BLOCK_BYTES = 1024 * 1024;

/** A bundle on this machine. Nothing is written beside it, so a read-only medium will do (L10). */
export function localBundle(path: string, name = `bundle ${basename(path)}`): BundleReader {
  const failed = (error: unknown): SourceError =>
    new SourceError(codeOf(error) === 'ENOENT' ? 'missing' : 'unreachable', name, `cannot be read: ${codeOf(error)}`, {
      cause: error,
    });
  const opened = () =>
    open(path, 'r').catch((error: unknown) => {
      throw failed(error);
    });
  return {
    name,
    origin: path,
    async sizeBytes() {
      const handle = await opened();
      try {
        return (await handle.stat()).size;
      } finally {
        await handle.close();
      }
    },
    async *stream({ start, end }, signal) {
      const handle = await opened();
      try {
        for (let at = start; at < end;) {
          if (signal.aborted) throw new SourceError('aborted', name, 'stopped by us', { cause: signal.reason });
          const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, end - at));
          const { bytesRead } = await handle.read(block, 0, block.length, at).catch((error: unknown) => {
            throw failed(error);
          });
          if (bytesRead === 0) return;
          yield block.subarray(0, bytesRead);
          at += bytesRead;
        }
      } finally {
        await handle.close();
      }
    },
  };
}

/** Reads one range into memory. */
export async function readRange(reader: BundleReader, range: ByteRange, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of reader.stream(range, signal)) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}
