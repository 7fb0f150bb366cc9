import { VerifyError } from '#core/failure';
import { nameOfBytes } from '../formats/known-bytes.ts';
import {
  decodeTarHeader,
  isZeroBlock,
  TAR_BLOCK_BYTES,
  tarHeaderProblem,
  tarPadding,
  type TarHeader,
} from './tar-header.ts';
import { readTarName, type TarName } from './tar-name.ts';
import { readPax, type PaxSparse, type TarExtension } from './tar-pax.ts';
import { expand, gnuRealSize, mapProblem, partsOf, readGnuMap, readLeadingMap, type SparsePart } from './tar-sparse.ts';

/** The bytes of a tar, in order. */
export interface TarInput {
  /** Position of the next byte. */
  readonly position: () => number;
  /** Gives fewer bytes than asked only at the end. */
  read(length: number): Promise<Uint8Array>;
  /** Gives what is at hand, at most so many bytes; none only at the end. */
  readSome(most: number): Promise<Uint8Array>;
  /** Passes over bytes that nothing needs. @returns how many there were: fewer than asked only at the end */
  skip(length: number): Promise<number>;
}

export interface TarEntry {
  /** Checked: relative, without `..`, safe on every system. */
  readonly name: string;
  /** Of the content, holes of a sparse file included. */
  readonly sizeBytes: number;
  /** Position of its first byte in the tar; undefined for a sparse file, whose bytes are not one range. */
  readonly start: number | undefined;
  /** Its bytes, once; what is not read is passed over. */
  chunks(): AsyncGenerator<Uint8Array>;
}

/** An entry that is not taken. */
export interface SkippedEntry {
  /** As the archive has it. */
  readonly name: string;
  /** The path it would have had. */
  readonly path: string;
  /** For a sentence: `is a symbolic link`. */
  readonly reason: string;
}

export interface TarLimits {
  readonly maxEntries: number;
  /** Sum of the stored sizes of all entries. */
  readonly maxBytes: number;
}

export interface TarOptions {
  /** Told of each entry that is no regular file under a safe name. */
  readonly onSkipped?: ((entry: SkippedEntry) => void) | undefined;
  /** Go on behind the end mark, where another archive may stand (`cat a.tar b.tar`); default false. */
  readonly readsOn?: boolean | undefined;
}

/** Far above every long name and map; a header is held in memory. */
const MAX_LONG_HEADER_BYTES = 1024 * 1024;
const READ_BYTES = 256 * 1024;

/** Types that have no content, whatever their size field says. */
const WITHOUT_CONTENT: Readonly<Record<string, string>> = {
  1: 'is a hard link',
  2: 'is a symbolic link',
  3: 'is a character device',
  4: 'is a block device',
  6: 'is a FIFO',
};
const FOLDER = '5';
/** Volume labels, listings of folders (`tar -g`), old long names, access lists of Solaris, comments of pax, names of links. */
const PASSED_OVER = 'VDNAgK';

/**
 * Walks the regular files of a tar: v7, ustar, pax, GNU, with sparse files of both. Folders, labels and listings are passed over.
 * Everything else that is not a regular file under a safe name is skipped and told.
 *
 * @throws VerifyError `wrong-format` for what is damaged, truncated, no tar, or beyond the limits
 */
export async function* readTar(input: TarInput, limits: TarLimits, options: TarOptions = {}): AsyncGenerator<TarEntry> {
  let [entryCount, totalBytes] = [0, 0];
  for (;;) {
    const member = await nextMember(input, limits, options);
    if (member === undefined) return;
    entryCount += 1;
    if (entryCount > limits.maxEntries) throw refused(`has more than ${limits.maxEntries} entries`);
    totalBytes += member.storedBytes;
    if (totalBytes > limits.maxBytes)
      throw refused(`has more than ${limits.maxBytes} bytes of files; raise the limit if that is meant`);
    const end = input.position() + member.storedBytes;
    const entry = member.reason === undefined && !member.name.isFolder ? entryOf(input, member) : undefined;
    if (entry !== undefined) yield entry;
    else if (member.reason !== undefined)
      options.onSkipped?.({ name: member.name.shown, path: member.name.path, reason: member.reason });
    await skipContent(input, end, member);
  }
}

interface Member {
  readonly name: TarName;
  readonly header: TarHeader;
  /** Bytes behind the header, without padding. */
  readonly storedBytes: number;
  readonly sparse: SparseFile | undefined;
  /** Why it is not taken. */
  readonly reason: string | undefined;
}

interface SparseFile {
  readonly sizeBytes: number;
  /** Undefined when the map stands in front of the data. */
  readonly parts: readonly SparsePart[] | undefined;
}

const refused = (reason: string): VerifyError => new VerifyError('wrong-format', `the archive ${reason}`);

/** @returns undefined at the end of the archive */
async function nextMember(input: TarInput, limits: TarLimits, options: TarOptions): Promise<Member | undefined> {
  const extension: TarExtension = {};
  for (let headers = 0; ; headers += 1) {
    if (headers > limits.maxEntries) throw refused(`has more than ${limits.maxEntries} entries`);
    const block = await nextHeader(input, options);
    if (block === undefined) return undefined;
    const header = decodeTarHeader(block);
    if (await tookExtension(input, header, extension)) continue;
    if (!PASSED_OVER.includes(header.type)) return memberOf(input, block, header, extension);
    await passOver(input, passedBytes(header, extension));
    // Names stand in front of these as well; a comment or the name of a link may stand between a name and its entry.
    if (header.type === 'D' || header.type === 'V') clear(extension);
  }
}

function passedBytes(header: TarHeader, extension: TarExtension): number {
  if (header.type === 'V') return 0;
  return (header.type === 'D' ? extension.sizeBytes : undefined) ?? sizeOf(header);
}

function clear(extension: TarExtension): void {
  delete extension.name;
  delete extension.sizeBytes;
  delete extension.sparse;
}

/** @returns the next block that is not zero; undefined at the end mark, or where the archive ends without one */
async function nextHeader(input: TarInput, { readsOn = false }: TarOptions): Promise<Uint8Array | undefined> {
  for (let ended = false; ; ended = true) {
    const position = input.position();
    const block = await input.read(TAR_BLOCK_BYTES);
    const isZero = isZeroBlock(block);
    if (block.length < TAR_BLOCK_BYTES && (isZero || ended)) return undefined;
    if (isZero && readsOn) continue;
    if (isZero) return undefined;
    const problem = tarHeaderProblem(block);
    if (problem === undefined) return block;
    // Bytes behind the end mark that are no other archive mean nothing.
    if (ended) return undefined;
    throw noHeader(block, position, problem);
  }
}

function noHeader(block: Uint8Array, position: number, problem: string): VerifyError {
  const name = position === 0 ? nameOfBytes(block) : undefined;
  if (name !== undefined && name !== 'tar') return refused(`is no tar: it is ${name}`);
  if (block.length < TAR_BLOCK_BYTES) return refused('ends inside a header; it is truncated');
  return refused(`${problem} (at byte ${position})`);
}

/** pax (`x`, and `X` of Solaris) and GNU (`L`) headers describe the entry behind them. */
async function tookExtension(input: TarInput, header: TarHeader, extension: TarExtension): Promise<boolean> {
  if (!'xXL'.includes(header.type)) return false;
  const sizeBytes = sizeOf(header);
  if (sizeBytes > MAX_LONG_HEADER_BYTES)
    throw refused(`has a header of ${sizeBytes} bytes; at most ${MAX_LONG_HEADER_BYTES} are read`);
  const body = await readExactly(input, sizeBytes, 'inside a header');
  await input.skip(tarPadding(sizeBytes));
  if (header.type !== 'L') refusing(() => readPax(body, extension));
  else extension.name = body.subarray(0, body.indexOf(0) < 0 ? body.length : body.indexOf(0));
  return true;
}

function sizeOf({ sizeBytes }: TarHeader): number {
  if (sizeBytes === undefined) throw refused('has a tar header without a valid size');
  return sizeBytes;
}

async function passOver(input: TarInput, sizeBytes: number): Promise<void> {
  if ((await input.skip(sizeBytes)) < sizeBytes) throw refused('ends before its last entry does; it is truncated');
  await input.skip(tarPadding(sizeBytes));
}

async function memberOf(
  input: TarInput,
  block: Uint8Array,
  header: TarHeader,
  extension: TarExtension,
): Promise<Member> {
  const read = readTarName(extension.name ?? header.name);
  const name = { ...read, isFolder: read.isFolder || header.type === FOLDER };
  const kind = WITHOUT_CONTENT[header.type] ?? contentProblem(header);
  const isEmpty = header.type in WITHOUT_CONTENT || header.type === FOLDER;
  const storedBytes = isEmpty ? 0 : (extension.sizeBytes ?? sizeOf(header));
  const sparse = kind === undefined ? await sparseOf(input, block, header, extension.sparse) : undefined;
  return { name, header, storedBytes, sparse, reason: kind ?? name.problem };
}

function contentProblem({ type, isGnu }: TarHeader): string | undefined {
  if (type === 'M') return 'is the rest of a file from an earlier volume';
  return type === 'S' && !isGnu ? 'is a sparse file in a form other than that of GNU tar and pax' : undefined;
}

async function sparseOf(
  input: TarInput,
  block: Uint8Array,
  { type }: TarHeader,
  pax: PaxSparse | undefined,
): Promise<SparseFile | undefined> {
  if (type === 'S') {
    const parts = await refusing(() => readGnuMap(block, () => readExactly(input, TAR_BLOCK_BYTES, 'inside a map')));
    return { sizeBytes: gnuRealSize(block) ?? 0, parts };
  }
  if (pax?.sizeBytes === undefined) return undefined;
  return { sizeBytes: pax.sizeBytes, parts: pax.major === undefined ? partsOf(pax.map) : undefined };
}

function entryOf(input: TarInput, { name, storedBytes, sparse }: Member): TarEntry {
  const { path } = name;
  const start = input.position();
  const stored = (bytes: number): AsyncGenerator<Uint8Array> => readChunks(input, bytes, path);
  if (sparse === undefined) return { name: path, sizeBytes: storedBytes, start, chunks: () => stored(storedBytes) };
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    const nextBlock = (): Promise<Uint8Array> => readExactly(input, TAR_BLOCK_BYTES, 'inside a map');
    const parts = sparse.parts ?? (await refusing(() => readLeadingMap(nextBlock)));
    const problem = mapProblem(parts, start + storedBytes - input.position(), sparse.sizeBytes);
    if (problem !== undefined) throw refused(`has the sparse file ${JSON.stringify(path)}, whose map ${problem}`);
    yield* expand(parts, sparse.sizeBytes, stored);
  };
  return { name: path, sizeBytes: sparse.sizeBytes, start: undefined, chunks };
}

/** Some programs leave out the padding of the last entry. */
async function skipContent(input: TarInput, end: number, { name, storedBytes }: Member): Promise<void> {
  const left = end - input.position();
  if ((await input.skip(left)) < left) throw truncated(name.shown);
  await input.skip(tarPadding(storedBytes));
}

const truncated = (name: string): VerifyError =>
  refused(`ends in the middle of ${JSON.stringify(name)}; it is truncated, or the first of several volumes`);

/** What is broken is the archive's fault. */
function refusing<T>(work: () => T): T {
  const named = (error: unknown): never => {
    throw error instanceof RangeError ? refused(error.message) : error;
  };
  try {
    const result = work();
    return result instanceof Promise ? (result.catch(named) as T) : result;
  } catch (error) {
    return named(error);
  }
}

async function* readChunks(input: TarInput, sizeBytes: number, name: string): AsyncGenerator<Uint8Array> {
  for (let left = sizeBytes; left > 0;) {
    const chunk = await input.readSome(Math.min(left, READ_BYTES));
    if (chunk.length === 0) throw truncated(name);
    left -= chunk.length;
    yield chunk;
  }
}

async function readExactly(input: TarInput, length: number, where: string): Promise<Uint8Array> {
  const bytes = await input.read(length);
  if (bytes.length < length) throw refused(`ends ${where}; it is truncated`);
  return bytes;
}
