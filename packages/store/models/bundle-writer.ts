import { createHash, hash } from 'node:crypto';
import { closeSync, createReadStream, createWriteStream, openSync, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  BUNDLE_INDEX_NAME,
  BUNDLE_SCHEMA,
  bundleMemberName,
  encodeBundleIndex,
  MAX_BUNDLE_INDEX_BYTES,
  type BundleMember,
} from '#content/archives/bundle-index';
import { createCompressor } from '#content/archives/compress';
import type { Compression } from '#content/archives/decompress';
import { encodeTarHeader, TAR_BLOCK_BYTES, tarPadding, writeTarHeader } from '#content/archives/tar-header';
import { StorageError, VerifyError } from '#core/failure';
import { syncFile } from '#os/sync';
import { dropTemporary, renameDurably, temporaryBeside } from '#os/write-file';
import { nodeFiles } from '#os/file-calls';

export interface BundleFile {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly cid?: string | undefined;
  /** Where the bytes are on this host, such as a blob of the store. */
  readonly filePath: string;
}

export interface BundleModel {
  /** The manifest as JSON; its `name` and `version` order the bundle. */
  readonly manifest: { readonly name: string; readonly version: string };
  readonly files: readonly BundleFile[];
}

export interface BundleOptions {
  /** Compressed members cannot be read by range, so plain tar is the default; weights hardly compress anyway. */
  readonly compression?: Compression | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/**
 * Writes models into one tar for hosts without a network: the index first, then every content once, in the order of its
 * digest. The same models give the same bytes on every host. Each file is hashed on its way; `out` appears only when all are right.
 *
 * @throws VerifyError `wrong-digest` when a file is not what its digest says; StorageError
 * @throws RangeError for so many files that their index would not be read
 */
export async function createBundle(
  models: readonly BundleModel[],
  out: string,
  options: BundleOptions = {},
): Promise<{ readonly members: readonly BundleMember[] }> {
  const files = distinctFiles(models);
  const members = files.map(memberOf);
  const manifests = models
    .map(({ manifest }) => manifest)
    .sort((a, b) => compare(a.name, b.name) || compare(a.version, b.version));
  const index = Buffer.from(encodeBundleIndex({ schema: BUNDLE_SCHEMA, manifests, members }));
  if (index.length > MAX_BUNDLE_INDEX_BYTES)
    throw new RangeError(
      `the index of ${members.length} contents has ${index.length} bytes, and at most ${MAX_BUNDLE_INDEX_BYTES} are read: make several bundles`,
    );
  const temporary = temporaryBeside(out);
  try {
    const tar = Readable.from(tarBytes(index, files, options), { objectMode: false });
    const sink = createWriteStream(temporary, { flags: 'wx' });
    const stages = options.compression === undefined ? [] : [createCompressor(options.compression)];
    await pipeline([tar, ...stages, sink], options.signal === undefined ? {} : { signal: options.signal });
    await syncFile(nodeFiles, temporary);
    await renameDurably(nodeFiles, temporary, out);
    return { members };
  } catch (error) {
    await dropTemporary(nodeFiles, temporary);
    options.signal?.throwIfAborted();
    throw error instanceof VerifyError ? error : StorageError.from(error, out);
  }
}

/** The keys stand in the order of the index, which then needs no copy. */
function memberOf({ sha256, sizeBytes, cid }: BundleFile): BundleMember {
  const name = bundleMemberName(sha256);
  return cid === undefined ? { name, sha256, sizeBytes } : { cid, name, sha256, sizeBytes };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function distinctFiles(models: readonly BundleModel[]): BundleFile[] {
  const bySha256 = new Map(models.flatMap(({ files }) => files).map((file) => [file.sha256, file]));
  return [...bySha256.values()].sort((a, b) => compare(a.sha256, b.sha256));
}

/** Files up to this length are gathered into blocks: their cost is that of the calls, not of the bytes. */
const SMALL_BYTES = 64 * 1024;
const BLOCK_BYTES = 1024 * 1024;

async function* tarBytes(
  index: Buffer,
  files: readonly BundleFile[],
  options: BundleOptions,
): AsyncGenerator<Uint8Array> {
  const totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  let doneBytes = 0;
  const onBytes = (count: number): void => options.onProgress?.((doneBytes += count), totalBytes);
  const block = blockOf(BLOCK_BYTES);
  yield encodeTarHeader(BUNDLE_INDEX_NAME, index.length);
  yield index;
  yield Buffer.alloc(tarPadding(index.length));
  for (const file of files) {
    if (file.sizeBytes <= SMALL_BYTES) {
      if (!block.hasRoom(file.sizeBytes)) yield block.take();
      block.add(file);
      onBytes(file.sizeBytes);
      continue;
    }
    yield block.take();
    yield encodeTarHeader(bundleMemberName(file.sha256), file.sizeBytes);
    yield* provenBytes(file, onBytes);
    yield Buffer.alloc(tarPadding(file.sizeBytes));
  }
  yield block.take();
  yield Buffer.alloc(2 * TAR_BLOCK_BYTES);
}

/** Whole small files in one buffer. They are read by calls that block: for a kilobyte, waiting for a thread costs ten times the read. */
function blockOf(blockBytes: number) {
  let buffer = Buffer.allocUnsafe(blockBytes);
  let filled = 0;
  return {
    hasRoom: (sizeBytes: number): boolean => filled + TAR_BLOCK_BYTES + sizeBytes + tarPadding(sizeBytes) <= blockBytes,
    add(file: BundleFile): void {
      const start = writeTarHeader(buffer, filled, bundleMemberName(file.sha256), file.sizeBytes);
      const length = readStart(file.filePath, buffer, start, file.sizeBytes);
      refuseOther(file, length, hash('sha256', buffer.subarray(start, start + length)));
      filled = start + length + tarPadding(length);
      buffer.fill(0, start + length, filled);
    },
    take(): Uint8Array {
      const taken = buffer.subarray(0, filled);
      if (filled > 0) buffer = Buffer.allocUnsafe(blockBytes);
      filled = 0;
      return taken;
    },
  };
}

/** @returns how many bytes were read, fewer than `length` of a shorter file */
function readStart(path: string, into: Buffer, at: number, length: number): number {
  const file = openSync(path, 'r');
  try {
    let done = 0;
    while (done < length) {
      const count = readSync(file, into, at + done, length - done, null);
      if (count === 0) break;
      done += count;
    }
    return done;
  } finally {
    closeSync(file);
  }
}

async function* provenBytes(file: BundleFile, onBytes: (count: number) => void): AsyncGenerator<Uint8Array> {
  const running = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of createReadStream(file.filePath, { highWaterMark: BLOCK_BYTES }) as AsyncIterable<Buffer>) {
    running.update(chunk);
    sizeBytes += chunk.length;
    if (sizeBytes > file.sizeBytes) break;
    yield chunk;
    onBytes(chunk.length);
  }
  refuseOther(file, sizeBytes, running.digest('hex'));
}

function refuseOther(file: BundleFile, sizeBytes: number, actual: string): void {
  if (sizeBytes === file.sizeBytes && actual === file.sha256) return;
  throw new VerifyError(
    'wrong-digest',
    sizeBytes <= file.sizeBytes
      ? `${file.filePath} has ${sizeBytes} bytes and SHA-256 ${actual}; ${file.sizeBytes} bytes and ${file.sha256} were expected`
      : `${file.filePath} has more than the ${file.sizeBytes} bytes that were expected of ${file.sha256}`,
  );
}
