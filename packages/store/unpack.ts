import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { decompress, DECOMPRESS_LIMITS, type DecompressLimits } from '#content/formats/decompress';
import { readTar } from '#content/formats/read-tar';
import { streamInput } from '#content/formats/tar-input';
import { StorageError, VerifyError } from '#core/failure';
import { unlinkIfPresent } from '#os/write-file';
import { checkBlob } from './check-blob.ts';
import type { StoreContext } from './context.ts';
import { showContent, type ViewRequest } from './model-views.ts';
import { publish } from './publish.ts';
import type { RecordStore } from './record-store.ts';

export const UNPACK_KINDS = ['gzip', 'zstd', 'tar', 'tar.gz', 'tar.zst'] as const;

export type UnpackKind = (typeof UNPACK_KINDS)[number];

/** One result, as the manifest declares it: the compressed bytes prove nothing about it. */
export interface UnpackedFile {
  /** Path in the model; in a tar also the name of the entry, or its name below the archive's own folder. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface UnpackRequest {
  /** The published, verified archive. */
  readonly archivePath: string;
  /** The archive's path in the model. */
  readonly path: string;
  readonly as: UnpackKind;
  readonly files: readonly UnpackedFile[];
  /** Model and version that the results are shown under; without it they are stored by content only. */
  readonly view?: Omit<ViewRequest, 'path'> | undefined;
  readonly limits?: Partial<UnpackLimits> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface UnpackLimits extends DecompressLimits {
  readonly maxEntries: number;
}

/** Room for folders, headers and files that the manifest does not name; beyond it the ratio holds. */
const UNDECLARED_BYTES = 64 * 1024 * 1024;
const MAX_ENTRIES = 100_000;

interface Written extends UnpackedFile {
  readonly partialPath: string;
}

/**
 * Decompresses a verified archive into the store (EX4), as a stream and within limits. Only declared files are written, under
 * private names; they are published together once every one of them has its declared size and SHA-256.
 *
 * @throws VerifyError `wrong-format` for a hostile or damaged archive (L01, L03), `wrong-digest` for a result that is not what was declared
 * @throws StorageError; the signal's reason
 */
export async function unpack(context: StoreContext, records: RecordStore, request: UnpackRequest): Promise<void> {
  const owner = `unpack-${randomBytes(8).toString('hex')}`;
  const written: Written[] = [];
  try {
    await writeResults(context, request, owner, written);
    for (const file of await missingFrom(context, request, written))
      throw new VerifyError('wrong-digest', `the archive ${request.path} has no ${JSON.stringify(file.path)}`);
    for (const file of written) await publish(context, records, { ...file, view: viewOf(request, file) });
    await showStored(context, records, request, written);
  } catch (error) {
    throw error instanceof VerifyError || request.signal?.aborted === true
      ? error
      : StorageError.from(error, request.archivePath);
  } finally {
    for (const { partialPath } of written) await unlinkIfPresent(context.fs, partialPath);
  }
}

/** The sources are those of the archive. */
const viewOf = (request: UnpackRequest, file: UnpackedFile): ViewRequest | undefined =>
  request.view === undefined ? undefined : { ...request.view, path: file.path, sources: undefined };

async function writeResults(
  context: StoreContext,
  request: UnpackRequest,
  owner: string,
  written: Written[],
): Promise<void> {
  for await (const { declared, chunks } of resultsOf(request)) {
    if (await isStored(context, declared)) continue;
    const partialPath = join(context.paths.partials, `${owner}.${written.length}.part`);
    written.push({ ...declared, partialPath });
    await writeResult(context, declared, partialPath, chunks, request.signal);
  }
}

const isStored = async (context: StoreContext, file: UnpackedFile): Promise<boolean> =>
  (await checkBlob(context, file.sha256, { depth: 'fast', sizeBytes: file.sizeBytes })).state === 'valid';

interface Result {
  readonly declared: UnpackedFile;
  readonly chunks: AsyncIterable<Uint8Array>;
}

async function* resultsOf(request: UnpackRequest): AsyncGenerator<Result> {
  const declaredBytes = request.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const isTar = request.as.startsWith('tar');
  const limits: UnpackLimits = {
    ...DECOMPRESS_LIMITS,
    ...(isTar ? {} : { maxBytes: declaredBytes }),
    ratioFromBytes: declaredBytes + UNDECLARED_BYTES,
    maxEntries: MAX_ENTRIES,
    ...request.limits,
  };
  const stream = plainStream(request, limits);
  if (isTar) yield* tarResults(stream, request, limits);
  else if (request.files.length === 1) yield { declared: request.files[0]!, chunks: stream };
  else throw new RangeError(`unpack as "${request.as}" gives one file, and ${request.files.length} are declared`);
}

function plainStream(request: UnpackRequest, limits: UnpackLimits): AsyncIterable<Uint8Array> {
  const file: AsyncIterable<Uint8Array> = createReadStream(request.archivePath, { highWaterMark: 256 * 1024 });
  if (request.as === 'gzip' || request.as === 'tar.gz') return decompress(file, 'gzip', limits);
  if (request.as === 'zstd' || request.as === 'tar.zst') return decompress(file, 'zstd', limits);
  return file;
}

async function* tarResults(
  stream: AsyncIterable<Uint8Array>,
  request: UnpackRequest,
  limits: UnpackLimits,
): AsyncGenerator<Result> {
  const folder = dirname(request.path);
  const byPath = new Map(request.files.map((file) => [file.path, file]));
  const input = streamInput(stream);
  try {
    for await (const entry of readTar(input, limits)) {
      const declared = byPath.get(entry.name) ?? byPath.get(`${folder}/${entry.name}`);
      if (declared !== undefined) yield { declared, chunks: entry.chunks() };
    }
  } finally {
    await input.close();
  }
}

async function writeResult(
  context: StoreContext,
  declared: UnpackedFile,
  partialPath: string,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const handle = await context.fs.open(partialPath, 'wx', 0o600);
  try {
    for await (const chunk of chunks) {
      signal?.throwIfAborted();
      sizeBytes += chunk.length;
      if (sizeBytes > declared.sizeBytes) throw notAsDeclared(declared, `has more than ${declared.sizeBytes} bytes`);
      hash.update(chunk);
      await writeAll(handle, chunk);
    }
  } finally {
    await handle.close();
  }
  if (sizeBytes !== declared.sizeBytes)
    throw notAsDeclared(declared, `has ${sizeBytes} bytes, not ${declared.sizeBytes}`);
  const actual = hash.digest('hex');
  if (actual !== declared.sha256) throw notAsDeclared(declared, `has SHA-256 ${actual}, not ${declared.sha256}`);
}

/** A disk that is almost full writes a part and reports no error (HD2). */
async function writeAll(handle: Awaited<ReturnType<StoreContext['fs']['open']>>, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, done, chunk.length - done);
    if (bytesWritten === 0) throw Object.assign(new Error('the disk took no more bytes'), { code: 'ENOSPC' });
    done += bytesWritten;
  }
}

const notAsDeclared = (file: UnpackedFile, reason: string): VerifyError =>
  new VerifyError('wrong-digest', `the unpacked ${JSON.stringify(file.path)} ${reason}`);

async function missingFrom(
  context: StoreContext,
  request: UnpackRequest,
  written: readonly Written[],
): Promise<UnpackedFile[]> {
  const missing: UnpackedFile[] = [];
  const fresh = new Set(written.map(({ sha256 }) => sha256));
  for (const file of request.files) if (!fresh.has(file.sha256) && !(await isStored(context, file))) missing.push(file);
  return missing;
}

/** Results whose content the store had already are shown from there. */
async function showStored(
  context: StoreContext,
  records: RecordStore,
  request: UnpackRequest,
  written: readonly Written[],
): Promise<void> {
  const fresh = new Set(written.map(({ path }) => path));
  for (const file of request.files) {
    const view = viewOf(request, file);
    if (view !== undefined && !fresh.has(file.path)) await showContent(context, records, file, view);
  }
}
