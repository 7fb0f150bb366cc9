import { constants, type BigIntStats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { ByteRange } from '#core/byte-range';
import { codeOf } from '#core/error-facts';
import { SourceError, type SourceFailureKind } from '#core/failure';
import type { ByteSink, ReadRequest, Source } from '#core/source';
import { MIB } from '#core/units';

const MAX_CONNECTIONS = 4;
const BLOCK_BYTES = MIB;

const KIND_BY_CODE: Readonly<Record<string, SourceFailureKind>> = {
  ENOENT: 'missing',
  ENOTDIR: 'missing',
  EACCES: 'forbidden',
  EPERM: 'forbidden',
};

/**
 * Reads `file:///path` as a person types it.
 *
 * @throws RangeError that shows the text and what would be right, also for a path that is not absolute or lies on another machine
 */
export function parseFileUrl(text: string): URL {
  // Without the slashes, a path that begins in the working folder would be taken for one from the root.
  const isAbsolute = /^file:\/\/(localhost)?\//i.test(text);
  // A percent sign that encodes nothing is one that was meant.
  const encoded = text.replace(/%(?![0-9a-f]{2})/gi, '%25');
  const url = isAbsolute && URL.canParse(encoded) ? new URL(encoded) : undefined;
  if (url === undefined || pathOf(url) === undefined)
    throw new RangeError(`"${text}" names no file of this machine: write file:///path`);
  url.search = '';
  url.hash = '';
  return url;
}

/** @returns undefined for an encoded slash or null character */
function pathOf(url: URL): string | undefined {
  try {
    const path = fileURLToPath(url);
    return path.includes('\0') ? undefined : path;
  } catch {
    return undefined;
  }
}

/**
 * A file of this machine, such as an older copy on another disk: a mirror like any other, whose bytes are proven like any other's. Only
 * a regular file is read. What a change leaves behind (size, time of change) is its validator.
 *
 * @param text `file:///path`, typed by the user of this machine: never by whoever wrote a manifest or a job
 * @throws RangeError
 */
export function localFile(text: string): Source {
  const url = parseFileUrl(text);
  const path = fileURLToPath(url);
  const name = url.href;
  return {
    name,
    kind: 'local',
    layer: 'huggingface',
    origin: path,
    capabilities: () => ({ range: true, blocks: false, maxConnections: MAX_CONNECTIONS }),
    async read(request, sink, signal) {
      const handle = await opened(name, path, signal);
      try {
        await readFrom(name, handle, request, sink, signal);
      } finally {
        await handle.close();
      }
    },
  };
}

/** A pipe without a writer is not waited for. */
async function opened(name: string, path: string, signal: AbortSignal): Promise<FileHandle> {
  assertGoesOn(name, signal);
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw failed(name, cause);
  }
}

async function readFrom(
  name: string,
  handle: FileHandle,
  request: ReadRequest,
  sink: ByteSink,
  signal: AbortSignal,
): Promise<void> {
  const before = await statOf(name, handle);
  const totalBytes = Number(before.size);
  const range = rangeOf(name, totalBytes, request);
  sink.head({ ...range, totalBytes, validator: { place: name, etag: tagOf(before), lastModified: undefined } });
  await sendRange(name, handle, range, sink, signal);
  if (tagOf(await statOf(name, handle)) !== tagOf(before))
    throw new SourceError('bad-response', name, 'the file changed while it was read');
}

async function statOf(name: string, handle: FileHandle): Promise<BigIntStats> {
  const stats = await handle.stat({ bigint: true }).catch((cause: unknown) => {
    throw failed(name, cause);
  });
  if (!stats.isFile()) throw new SourceError('bad-response', name, 'it is not a regular file');
  return stats;
}

const tagOf = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string =>
  `"${[dev, ino, size, mtimeNs, ctimeNs].join('-')}"`;

function rangeOf(name: string, totalBytes: number, { range, sizeBytes }: ReadRequest): ByteRange {
  if (sizeBytes !== undefined && sizeBytes !== totalBytes)
    throw new SourceError('size-mismatch', name, `has ${totalBytes} bytes, expected ${sizeBytes} bytes`);
  const { start = 0, end = totalBytes } = range ?? {};
  if (start > totalBytes) throw new SourceError('range-refused', name, `has no byte ${start}`);
  return { start, end: Math.min(end, totalBytes) };
}

async function sendRange(
  name: string,
  handle: FileHandle,
  { start, end }: ByteRange,
  sink: ByteSink,
  signal: AbortSignal,
): Promise<void> {
  const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, end - start));
  for (let at = start; at < end;) {
    assertGoesOn(name, signal);
    const { bytesRead } = await handle.read(block, 0, Math.min(block.length, end - at), at).catch((cause: unknown) => {
      throw failed(name, cause);
    });
    if (bytesRead === 0) throw new SourceError('interrupted', name, `the file ended at ${at}, before ${end}`);
    await sink.write(block.subarray(0, bytesRead));
    at += bytesRead;
  }
}

function assertGoesOn(name: string, signal: AbortSignal): void {
  if (signal.aborted) throw new SourceError('aborted', name, 'stopped by us', { cause: signal.reason });
}

const failed = (name: string, cause: unknown): SourceError =>
  new SourceError(KIND_BY_CODE[codeOf(cause)] ?? 'unreachable', name, `cannot be read: ${codeOf(cause)}`, { cause });
