import { constants, type BigIntStats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { ByteRange } from '#core/bytes/byte-range';
import { codeOf } from '#core/error-facts';
import { SourceError, type SourceFailureKind } from '#core/failure';
import type { ReadRequest } from '#core/source';
import { MIB } from '#core/units';

const BLOCK_BYTES = MIB;

const KIND_BY_CODE: Readonly<Record<string, SourceFailureKind>> = {
  ENOENT: 'missing',
  ENOTDIR: 'missing',
  EACCES: 'forbidden',
  EPERM: 'forbidden',
};

/** Opens a file of this machine; a pipe without a writer does not block. @param name of the source, for errors @throws SourceError */
export const openLocal = (name: string, path: string): Promise<FileHandle> =>
  open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    throw failed(name, cause);
  });

/** @throws SourceError also for what is not a regular file */
export async function statLocal(name: string, handle: FileHandle): Promise<BigIntStats> {
  const stats = await handle.stat({ bigint: true }).catch((cause: unknown) => {
    throw failed(name, cause);
  });
  if (!stats.isFile()) throw new SourceError('bad-response', name, 'it is not a regular file');
  return stats;
}

/**
 * Reads a range of an open file in blocks; fewer bytes only at the end of the file.
 *
 * @param reusesMemory each block is valid only until the next one is asked for
 * @throws SourceError; `aborted` by the signal
 */
export async function* localBlocks(
  name: string,
  handle: FileHandle,
  { start, end }: ByteRange,
  signal: AbortSignal,
  reusesMemory = false,
): AsyncGenerator<Uint8Array, undefined> {
  const memory = (at: number): Buffer => Buffer.allocUnsafe(Math.min(BLOCK_BYTES, end - at));
  const shared = reusesMemory ? memory(start) : undefined;
  for (let at = start; at < end;) {
    if (signal.aborted) throw abortedBy(name, signal);
    const block = shared ?? memory(at);
    const { bytesRead } = await handle.read(block, 0, Math.min(block.length, end - at), at).catch((cause: unknown) => {
      throw failed(name, cause);
    });
    if (bytesRead === 0) return;
    yield block.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/**
 * The bytes of a file that a request asks for.
 *
 * @throws SourceError `size-mismatch` for a file of another length than the request expects; `range-refused` beyond its end
 */
export function askedRange(name: string, totalBytes: number, { range, sizeBytes }: ReadRequest): ByteRange {
  if (sizeBytes !== undefined && sizeBytes !== totalBytes)
    throw new SourceError('size-mismatch', name, `has ${totalBytes} bytes, expected ${sizeBytes} bytes`);
  const { start = 0, end = totalBytes } = range ?? {};
  if (start > totalBytes) throw new SourceError('range-refused', name, `has no byte ${start}`);
  return { start, end: Math.min(end, totalBytes) };
}

export const abortedBy = (name: string, signal: AbortSignal): SourceError =>
  new SourceError('aborted', name, 'stopped by us', { cause: signal.reason });

const failed = (name: string, cause: unknown): SourceError =>
  new SourceError(KIND_BY_CODE[codeOf(cause)] ?? 'unreachable', name, `cannot be read: ${codeOf(cause)}`, { cause });
