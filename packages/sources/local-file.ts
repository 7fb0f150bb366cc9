import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { codeOf } from '#core/error-facts';
import { SourceError } from '#core/failure';
import type { Layer } from '#core/layer';
import type { ReadRequest, Source } from '#core/source';

export interface LocalFileOptions {
  readonly path: string;
  /** Default `cache`. */
  readonly layer?: Layer | undefined;
}

const BLOCK_BYTES = 1024 * 1024;

/** A file on this machine, such as an earlier download; read like any other source, and trusted as little. */
export function localFile(options: LocalFileOptions): Source {
  const { path } = options;
  const name = `file ${basename(path)}`;
  return {
    name,
    kind: 'local',
    layer: options.layer ?? 'cache',
    origin: path,
    capabilities: () => ({ range: true, blocks: false, maxConnections: 1 }),
    async read(request, sink, signal) {
      const handle = await open(path, 'r').catch((error: unknown) => {
        throw fileError(name, error);
      });
      try {
        const { size } = await handle.stat();
        const { start, end } = borders(name, request, size);
        sink.head({ start, end, totalBytes: size, etag: undefined });
        const block = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, Math.max(1, end - start)));
        for (let at = start; at < end;) {
          if (signal.aborted) throw new SourceError('aborted', name, 'stopped by us', { cause: signal.reason });
          const { bytesRead } = await handle
            .read(block, 0, Math.min(block.length, end - at), at)
            .catch((error: unknown) => {
              throw fileError(name, error);
            });
          if (bytesRead === 0) throw new SourceError('interrupted', name, `the file ended at ${at}, before ${end}`);
          await sink.write(block.subarray(0, bytesRead));
          at += bytesRead;
        }
      } finally {
        await handle.close();
      }
    },
  };
}

function borders(source: string, request: ReadRequest, size: number): { start: number; end: number } {
  if (request.sizeBytes !== undefined && size !== request.sizeBytes)
    throw new SourceError('size-mismatch', source, `has ${size} bytes, the manifest says ${request.sizeBytes}`);
  const { start = 0, end = size } = request.range ?? {};
  if (start > size) throw new SourceError('range-refused', source, `has no byte ${start}`);
  return { start, end: Math.min(end, size) };
}

function fileError(source: string, error: unknown): SourceError {
  const kind = codeOf(error) === 'ENOENT' ? 'missing' : 'unreachable';
  return new SourceError(kind, source, `cannot be read: ${codeOf(error)}`, { cause: error });
}
