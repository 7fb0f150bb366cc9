import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import {
  BUNDLE_INDEX_NAME,
  BUNDLE_SCHEMA,
  bundleMemberName,
  encodeBundleIndex,
  type BundleMember,
} from '#content/formats/bundle-index';
import { encodeTarHeader, TAR_BLOCK_BYTES, tarPadding } from '#content/formats/tar-header';
import { StorageError, VerifyError } from '#core/failure';
import { syncFile, syncFolder } from '#os/sync';
import { temporaryBeside } from '#os/write-file';
import { nodeFs } from './store-fs.ts';

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
  readonly compression?: 'gzip' | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/**
 * Writes models into one tar for hosts without a network (CH5): the index first, then every content once, in the order of its
 * digest. The same models give the same bytes on every host. Each file is hashed on its way; `out` appears only when all are right.
 *
 * @throws VerifyError `wrong-digest` when a file is not what its digest says; StorageError
 */
export async function createBundle(
  models: readonly BundleModel[],
  out: string,
  options: BundleOptions = {},
): Promise<{ readonly members: readonly BundleMember[] }> {
  const files = distinctFiles(models);
  const members = files.map(({ sha256, sizeBytes, cid }) => ({
    ...{ name: bundleMemberName(sha256), sha256, sizeBytes },
    ...(cid === undefined ? {} : { cid }),
  }));
  const manifests = models
    .map(({ manifest }) => manifest)
    .sort((a, b) => compare(a.name, b.name) || compare(a.version, b.version));
  const index = Buffer.from(encodeBundleIndex({ schema: BUNDLE_SCHEMA, manifests, members }));
  const temporary = temporaryBeside(out);
  try {
    const tar = Readable.from(tarBytes(index, files, options), { objectMode: false });
    const sink = createWriteStream(temporary, { flags: 'wx' });
    const stages = options.compression === 'gzip' ? [createGzip()] : [];
    await pipeline([tar, ...stages, sink], options.signal === undefined ? {} : { signal: options.signal });
    await syncFile(nodeFs, temporary);
    await rename(temporary, out);
    await syncFolder(nodeFs, dirname(out));
    return { members };
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    options.signal?.throwIfAborted();
    throw error instanceof VerifyError ? error : StorageError.from(error, out);
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function distinctFiles(models: readonly BundleModel[]): BundleFile[] {
  const bySha256 = new Map(models.flatMap(({ files }) => files).map((file) => [file.sha256, file]));
  return [...bySha256.values()].sort((a, b) => compare(a.sha256, b.sha256));
}

async function* tarBytes(
  index: Buffer,
  files: readonly BundleFile[],
  options: BundleOptions,
): AsyncGenerator<Uint8Array> {
  const totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  let doneBytes = 0;
  yield encodeTarHeader(BUNDLE_INDEX_NAME, index.length);
  yield index;
  yield Buffer.alloc(tarPadding(index.length));
  for (const file of files) {
    yield encodeTarHeader(bundleMemberName(file.sha256), file.sizeBytes);
    yield* provenBytes(file);
    yield Buffer.alloc(tarPadding(file.sizeBytes));
    doneBytes += file.sizeBytes;
    options.onProgress?.(doneBytes, totalBytes);
  }
  yield Buffer.alloc(2 * TAR_BLOCK_BYTES);
}

async function* provenBytes(file: BundleFile): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of createReadStream(file.filePath, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    sizeBytes += chunk.length;
    if (sizeBytes <= file.sizeBytes) yield chunk;
  }
  const actual = hash.digest('hex');
  if (sizeBytes !== file.sizeBytes || actual !== file.sha256)
    throw new VerifyError(
      'wrong-digest',
      `${file.filePath} has ${sizeBytes} bytes and SHA-256 ${actual}; ${file.sizeBytes} bytes and ${file.sha256} were expected`,
    );
}
