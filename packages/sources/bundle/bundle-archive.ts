import {
  BUNDLE_INDEX_NAME,
  decodeBundleIndex,
  MAX_BUNDLE_INDEX_BYTES,
  type BundleIndex,
  type BundleMember,
} from '#content/archives/bundle-index';
import { decompress, DECOMPRESS_LIMITS, type Compression } from '#content/archives/decompress';
import { readTar, type SkippedEntry, type TarEntry, type TarInput, type TarLimits } from '#content/archives/read-tar';
import { TAR_BLOCK_BYTES, tarPadding } from '#content/archives/tar-header';
import { randomAccessInput, streamInput } from '#content/archives/tar-input';
import { beginsLike } from '#content/formats/magic';
import type { ReadAt } from '#content/formats/read-at';
import { SourceError, VerifyError } from '#core/failure';
import { KIB, MIB } from '#core/units';
import { readRange, type BundleReader } from './bundle-reader.ts';

export interface BundleLimits extends TarLimits {
  /** Most bytes out per byte in, for compressed bundles, beyond what the index declares. */
  readonly maxRatio: number;
}

export const BUNDLE_LIMITS: BundleLimits = {
  maxEntries: 1_000_000,
  maxBytes: 2 ** 44,
  maxRatio: DECOMPRESS_LIMITS.maxRatio,
};

/** Bytes of a compressed bundle beyond its index, such as folders, to which the ratio does not apply. */
const UNDECLARED_BYTES = MIB;

/** A bundle whose index was read. Its contents are not proven yet. */
export interface BundleArchive {
  readonly reader: BundleReader;
  readonly limits: BundleLimits;
  readonly compression: Compression | undefined;
  readonly index: BundleIndex;
  /** Length of the tar by its index. */
  readonly declaredBytes: number;
  /** Members by name; for a plain tar with the position of their first byte. */
  readonly members: ReadonlyMap<string, BundleMember & { readonly start: number | undefined }>;
}

/**
 * Reads the index of a bundle. In a plain tar all headers are read, so that a hostile entry is refused before any content is served. Of a
 * compressed bundle only the beginning is read; its entries are checked during each read.
 *
 * @throws SourceError `bad-response` for a file that is no bundle, or a hostile bundle
 */
export async function openBundleArchive(
  reader: BundleReader,
  signal: AbortSignal,
  limits: BundleLimits = BUNDLE_LIMITS,
): Promise<BundleArchive> {
  return refusals(reader.name, async () => {
    const sizeBytes = await reader.sizeBytes(signal);
    const compression = compressionOf(await readRange(reader, { start: 0, end: Math.min(4, sizeBytes) }, signal));
    const entries = walk({ reader, limits, compression }, sizeBytes, signal);
    const first = await entries.next();
    const index = await readIndex(first.done === true ? undefined : first.value);
    const declaredBytes = [first.value!, ...index.members].reduce((sum, entry) => sum + tarEntryBytes(entry), 0);
    const starts = new Map<string, TarEntry>();
    if (compression === undefined) for await (const entry of entries) starts.set(entry.name, entry);
    else await entries.return(undefined);
    const members = index.members.map((member) => [member.name, locate(member, starts, compression)] as const);
    return { reader, limits, compression, index, declaredBytes, members: new Map(members) };
  });
}

function locate(
  member: BundleMember,
  starts: ReadonlyMap<string, TarEntry>,
  compression: Compression | undefined,
): BundleMember & { start: number | undefined } {
  const entry = starts.get(member.name);
  if (compression === undefined && entry?.sizeBytes !== member.sizeBytes)
    throw new VerifyError(
      'wrong-format',
      `the bundle lists ${JSON.stringify(member.name)} with ${member.sizeBytes} bytes and has ${entry?.sizeBytes ?? 'none'}`,
    );
  return { ...member, start: entry?.start };
}

/** Reads the entries of a plain or a compressed bundle in order. */
export async function* walk(
  archive: Pick<BundleArchive, 'reader' | 'limits' | 'compression'> & Partial<Pick<BundleArchive, 'declaredBytes'>>,
  sizeBytes: number,
  signal: AbortSignal,
): AsyncGenerator<TarEntry, undefined> {
  const { reader, limits, compression, declaredBytes = MAX_BUNDLE_INDEX_BYTES } = archive;
  if (compression === undefined) {
    const readAt = (start: number, length: number) => readRange(reader, { start, end: start + length }, signal);
    yield* regularFiles(randomAccessInput(readAhead(readAt, sizeBytes), sizeBytes), limits);
    return;
  }
  const bounds = { ...limits, ratioFromBytes: declaredBytes + UNDECLARED_BYTES };
  const input = streamInput(decompress(reader.stream({ start: 0, end: sizeBytes }, signal), compression, bounds));
  try {
    yield* regularFiles(input, limits);
  } finally {
    await input.close();
  }
}

const MOST_AHEAD_BYTES = 256 * KIB;

/**
 * Reads ahead in a file that is mostly read forward, so that not every header of ten thousand small entries costs a read or a request. The
 * read-ahead doubles while it is used and is reset by a jump, so of a few large entries only the headers are read.
 */
function readAhead(readAt: ReadAt, sizeBytes: number): ReadAt {
  let held: { readonly start: number; readonly bytes: Uint8Array } = { start: 0, bytes: new Uint8Array(0) };
  let ahead = 0;
  return async (position, length) => {
    const from = position - held.start;
    if (from >= 0 && from + length <= held.bytes.length) return held.bytes.subarray(from, from + length);
    const isNear = from >= 0 && from <= held.bytes.length + ahead;
    ahead = isNear ? Math.min(MOST_AHEAD_BYTES, Math.max(2 * ahead, 2 * KIB)) : 0;
    const wanted = Math.min(Math.max(length, ahead), sizeBytes - position);
    const bytes = await readAt(position, wanted);
    held = { start: position, bytes };
    return bytes.subarray(0, length);
  };
}

/** Header, content and padding. */
const tarEntryBytes = ({ sizeBytes }: { readonly sizeBytes: number }): number =>
  TAR_BLOCK_BYTES + sizeBytes + tarPadding(sizeBytes);

/** This program writes no links, devices, odd names or doubled entries into bundles: a bundle that has them is refused. */
async function* regularFiles(input: TarInput, limits: BundleLimits): AsyncGenerator<TarEntry, undefined> {
  const refused = (name: string, reason: string): VerifyError =>
    new VerifyError('wrong-format', `the bundle has ${JSON.stringify(name)}, which ${reason}`);
  const onSkipped = ({ name, reason }: SkippedEntry): never => {
    throw refused(name, reason);
  };
  const seen = new Set<string>();
  for await (const entry of readTar(input, limits, { onSkipped })) {
    if (seen.has(entry.name)) throw refused(entry.name, 'is in it twice');
    seen.add(entry.name);
    yield entry;
  }
}

function compressionOf(head: Uint8Array): Compression | undefined {
  return (['gzip', 'zstd'] as const).find((compression) => beginsLike(head, compression));
}

async function readIndex(entry: TarEntry | undefined): Promise<BundleIndex> {
  if (entry?.name !== BUNDLE_INDEX_NAME)
    throw new VerifyError(
      'wrong-format',
      `it is no bundle: ${BUNDLE_INDEX_NAME} must be its first entry; make one with "haulier bundle create"`,
    );
  if (entry.sizeBytes > MAX_BUNDLE_INDEX_BYTES)
    throw new VerifyError(
      'wrong-format',
      `its index has ${entry.sizeBytes} bytes; at most ${MAX_BUNDLE_INDEX_BYTES} are read`,
    );
  const chunks: Uint8Array[] = [];
  for await (const chunk of entry.chunks()) chunks.push(chunk.slice());
  return decodeBundleIndex(Buffer.concat(chunks));
}

/** Turns errors of the archive into a `SourceError`, so that the next source is asked. */
export async function refusals<T>(source: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof VerifyError) throw new SourceError('bad-response', source, error.message, { cause: error });
    throw error;
  }
}
