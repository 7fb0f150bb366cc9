import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { decompress, DECOMPRESS_LIMITS, type DecompressLimits } from '#content/archives/decompress';
import { readTar, type SkippedEntry, type TarInput } from '#content/archives/read-tar';
import { randomAccessInput, streamInput } from '#content/archives/tar-input';
import { StorageError, VerifyError } from '#core/failure';
import { unlinkIfPresent } from '#os/write-file';
import { checkBlob } from './check-blob.ts';
import type { StoreContext } from '../context.ts';
import { showContent, type ViewRequest } from '../models/model-views.ts';
import { publish } from './publish.ts';
import type { RecordStore } from '../models/record-store.ts';

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
const READ_BYTES = 256 * 1024;

/** What became of an archive. */
export interface Unpacked {
  /** Files that were published; those that the store had already are not among them. */
  readonly publishedFiles: number;
  /** Entries that the manifest does not name. */
  readonly skippedEntries: number;
}

interface Written extends UnpackedFile {
  readonly partialPath: string;
}

/**
 * Decompresses a verified archive into the store, as a stream and within limits. Only declared files are written, under
 * private names; they are published together once every one of them has its declared size and SHA-256. Of several entries with
 * the name of a declared file the one with its digest is taken; entries that the manifest does not name are counted.
 *
 * @throws VerifyError `wrong-format` for a hostile or damaged archive, `wrong-digest` for a result that is not what was declared
 * @throws StorageError; the signal's reason
 */
export async function unpack(context: StoreContext, records: RecordStore, request: UnpackRequest): Promise<Unpacked> {
  const owner = `unpack-${randomBytes(8).toString('hex')}`;
  const outcome: Outcome = { written: [], proven: new Set(), refusals: new Map(), skippedEntries: 0 };
  const { written } = outcome;
  try {
    await writeResults(context, request, owner, outcome);
    await refuseMissing(context, request, outcome);
    for (const file of written) await publish(context, records, { ...file, view: viewOf(request, file) });
    await showStored(context, records, request, written);
    return { publishedFiles: written.length, skippedEntries: outcome.skippedEntries };
  } catch (error) {
    throw error instanceof VerifyError || request.signal?.aborted === true
      ? error
      : StorageError.from(error, request.archivePath);
  } finally {
    for (const { partialPath } of written) await unlinkIfPresent(context.fs, partialPath);
  }
}

interface Outcome {
  /** Results under private names, each as it was declared. */
  readonly written: Written[];
  /** Paths whose entry had the declared content. */
  readonly proven: Set<string>;
  /** Why an entry with the name of a declared file was not taken, by that path. */
  readonly refusals: Map<string, VerifyError>;
  skippedEntries: number;
}

/** The sources are those of the archive. */
const viewOf = (request: UnpackRequest, file: UnpackedFile): ViewRequest | undefined =>
  request.view === undefined ? undefined : { ...request.view, path: file.path, sources: undefined };

async function writeResults(
  context: StoreContext,
  request: UnpackRequest,
  owner: string,
  outcome: Outcome,
): Promise<void> {
  const { written, proven, refusals } = outcome;
  for await (const result of resultsOf(context, request, outcome)) {
    const { declared } = result;
    if (proven.has(declared.path)) continue;
    if (!(await isStored(context, declared))) {
      const partialPath = join(context.paths.partials, `${owner}.${written.length}.part`);
      written.push({ ...declared, partialPath });
      const refusal = await refusalOf(writeResult(context, result, partialPath, request.signal));
      if (refusal !== undefined) {
        written.pop();
        await unlinkIfPresent(context.fs, partialPath);
        if (!refusals.has(declared.path)) refusals.set(declared.path, refusal);
        continue;
      }
    }
    proven.add(declared.path);
  }
}

/** Another entry may have the content that this one has not, so the archive is read on. */
async function refusalOf(writing: Promise<void>): Promise<VerifyError | undefined> {
  try {
    await writing;
    return undefined;
  } catch (error) {
    if (error instanceof VerifyError && error.kind === 'wrong-digest') return error;
    throw error;
  }
}

const isStored = async (context: StoreContext, file: UnpackedFile): Promise<boolean> =>
  (await checkBlob(context, file.sha256, { depth: 'fast', sizeBytes: file.sizeBytes })).state === 'valid';

interface Result {
  readonly declared: UnpackedFile;
  /** As the archive says; undefined where it says nothing. */
  readonly sizeBytes: number | undefined;
  readonly chunks: AsyncIterable<Uint8Array>;
}

async function* resultsOf(context: StoreContext, request: UnpackRequest, outcome: Outcome): AsyncGenerator<Result> {
  const declaredBytes = request.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const isTar = request.as.startsWith('tar');
  const limits: UnpackLimits = {
    ...DECOMPRESS_LIMITS,
    ...(isTar ? {} : { maxBytes: declaredBytes }),
    ratioFromBytes: declaredBytes + UNDECLARED_BYTES,
    maxEntries: MAX_ENTRIES,
    ...request.limits,
  };
  if (isTar) yield* tarResults(context, request, limits, outcome);
  else if (request.files.length === 1)
    yield { declared: request.files[0]!, sizeBytes: undefined, chunks: plainStream(request, limits) };
  else throw new RangeError(`unpack as "${request.as}" gives one file, and ${request.files.length} are declared`);
}

function plainStream(request: UnpackRequest, limits: UnpackLimits): AsyncIterable<Uint8Array> {
  const file: AsyncIterable<Uint8Array> = createReadStream(request.archivePath, { highWaterMark: READ_BYTES });
  if (request.as === 'gzip' || request.as === 'tar.gz') return decompress(file, 'gzip', limits);
  if (request.as === 'zstd' || request.as === 'tar.zst') return decompress(file, 'zstd', limits);
  return file;
}

async function* tarResults(
  context: StoreContext,
  request: UnpackRequest,
  limits: UnpackLimits,
  outcome: Outcome,
): AsyncGenerator<Result> {
  const declaredAt = declaredFiles(request);
  const onSkipped = (entry: SkippedEntry): void => {
    const declared = declaredAt(entry.path);
    if (declared === undefined) outcome.skippedEntries += 1;
    else if (!outcome.refusals.has(declared.path)) outcome.refusals.set(declared.path, notTaken(request, entry));
  };
  const input = await tarInput(context, request, limits);
  try {
    for await (const entry of readTar(input, limits, { onSkipped, readsOn: true })) {
      const declared = declaredAt(entry.name);
      if (declared === undefined) outcome.skippedEntries += 1;
      else yield { declared, sizeBytes: entry.sizeBytes, chunks: entry.chunks() };
    }
    // Damage behind the end mark is damage of the compressed data too.
    while ((await input.readSome(READ_BYTES)).length > 0);
  } finally {
    await input.close();
  }
}

/** An entry is a declared file under its own name, or under its name below the archive's folder. */
function declaredFiles(request: UnpackRequest): (name: string) => UnpackedFile | undefined {
  const folder = dirname(request.path);
  const byPath = new Map(request.files.map((file) => [file.path, file]));
  return (name) => byPath.get(name) ?? byPath.get(`${folder}/${name}`);
}

const notTaken = (request: UnpackRequest, { name, reason }: SkippedEntry): VerifyError =>
  new VerifyError(
    'wrong-format',
    `the archive ${request.path} has ${JSON.stringify(name)}, which ${reason}; only regular files under plain names are taken`,
  );

async function tarInput(
  context: StoreContext,
  request: UnpackRequest,
  limits: UnpackLimits,
): Promise<TarInput & { close(): Promise<void> }> {
  if (request.as !== 'tar') return streamInput(plainStream(request, limits));
  const handle = await context.fs.open(request.archivePath, 'r');
  const readAt = async (position: number, length: number): Promise<Uint8Array> => {
    const buffer = new Uint8Array(length);
    const { bytesRead } = await handle.read(buffer, 0, length, position);
    return buffer.subarray(0, bytesRead);
  };
  return { ...randomAccessInput(readAt, (await handle.stat()).size), close: () => handle.close() };
}

async function writeResult(
  context: StoreContext,
  { declared, chunks, sizeBytes: storedBytes = declared.sizeBytes }: Result,
  partialPath: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (storedBytes !== declared.sizeBytes)
    throw notAsDeclared(declared, `has ${storedBytes} bytes, not ${declared.sizeBytes}`);
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const handle = await context.fs.open(partialPath, 'wx', 0o600);
  try {
    for await (const chunk of chunks) {
      signal?.throwIfAborted();
      sizeBytes += chunk.length;
      if (sizeBytes > declared.sizeBytes) throw notAsDeclared(declared, `has more than ${declared.sizeBytes} bytes`);
      const writing = writeAll(handle, chunk);
      hash.update(chunk);
      await writing;
    }
  } finally {
    await handle.close();
  }
  if (sizeBytes !== declared.sizeBytes)
    throw notAsDeclared(declared, `has ${sizeBytes} bytes, not ${declared.sizeBytes}`);
  const actual = hash.digest('hex');
  if (actual !== declared.sha256) throw notAsDeclared(declared, `has SHA-256 ${actual}, not ${declared.sha256}`);
}

/** A disk that is almost full writes a part and reports no error. */
async function writeAll(handle: Awaited<ReturnType<StoreContext['fs']['open']>>, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, done, chunk.length - done);
    if (bytesWritten === 0) throw Object.assign(new Error('the disk took no more bytes'), { code: 'ENOSPC' });
    done += bytesWritten;
  }
}

const notAsDeclared = (file: UnpackedFile, reason: string): VerifyError =>
  new VerifyError('wrong-digest', `the unpacked ${JSON.stringify(file.path)} ${reason}`);

/** A declared file may have the content of another one, or of what the store has; but no link stands for it. */
async function refuseMissing(
  context: StoreContext,
  request: UnpackRequest,
  { written, proven, refusals }: Outcome,
): Promise<void> {
  const fresh = new Set(written.map(({ sha256 }) => sha256));
  for (const file of request.files) {
    if (proven.has(file.path)) continue;
    const refusal = refusals.get(file.path);
    if (refusal !== undefined) throw refusal;
    if (!fresh.has(file.sha256) && !(await isStored(context, file)))
      throw new VerifyError('wrong-digest', `the archive ${request.path} has no ${JSON.stringify(file.path)}`);
  }
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
