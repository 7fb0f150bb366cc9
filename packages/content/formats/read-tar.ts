import { VerifyError } from '#core/failure';
import { unsafePathReason } from '#core/safe-path';
import {
  decodeTarHeader,
  decodeTarText,
  isZeroBlock,
  TAR_BLOCK_BYTES,
  tarPadding,
  type TarHeader,
} from './tar-header.ts';

/** The bytes of a tar, in order. `read` gives fewer than asked only at the end. */
export interface TarInput {
  /** Position of the next byte. */
  readonly position: () => number;
  read(length: number): Promise<Uint8Array>;
  /** Passes over bytes that nobody needs. */
  skip(length: number): Promise<void>;
}

export interface TarEntry {
  /** Checked: relative, without `..`, safe on every system. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Position of its first byte in the tar. */
  readonly start: number;
  /** Its bytes, once; what is not read is passed over. */
  chunks(): AsyncGenerator<Uint8Array>;
}

export interface TarLimits {
  readonly maxEntries: number;
  /** Sum of the sizes of all entries. */
  readonly maxBytes: number;
}

/** Far above every long name; a header is held in memory. */
const MAX_LONG_HEADER_BYTES = 64 * 1024;
const READ_BYTES = 256 * 1024;

const KINDS: Readonly<Record<string, string>> = {
  1: 'a hard link',
  2: 'a symbolic link',
  3: 'a character device',
  4: 'a block device',
  6: 'a FIFO',
};

interface LongHeaders {
  name?: string | undefined;
  sizeBytes?: number | undefined;
}

/**
 * Walks the regular files of a tar. Folders are passed over; everything that is not a plain file under a safe name is refused
 * (L01): nobody needs it in a model, and extractors are broken with it.
 *
 * @throws VerifyError `wrong-format` that names the entry and the reason
 */
export async function* readTar(input: TarInput, limits: TarLimits): AsyncGenerator<TarEntry> {
  const seen = new Set<string>();
  let totalBytes = 0;
  for (;;) {
    const entry = await nextEntry(input, limits, seen.size);
    if (entry === undefined) return;
    refuseDuplicate(seen, entry.name);
    totalBytes += entry.sizeBytes;
    if (totalBytes > limits.maxBytes)
      throw refused(`has more than ${limits.maxBytes} bytes of files; raise the limit if that is meant`);
    yield entry;
    await input.skip(entry.start + entry.sizeBytes + tarPadding(entry.sizeBytes) - input.position());
  }
}

const refused = (reason: string): VerifyError => new VerifyError('wrong-format', `the archive ${reason}`);

function refuseDuplicate(seen: Set<string>, name: string): void {
  if (seen.has(name)) throw refused(`has ${JSON.stringify(name)} twice`);
  seen.add(name);
}

/** @returns undefined at the end mark */
async function nextEntry(input: TarInput, limits: TarLimits, count: number): Promise<TarEntry | undefined> {
  const long: LongHeaders = {};
  for (let headers = 0; ; headers += 1) {
    if (headers > limits.maxEntries) throw refused(`has more than ${limits.maxEntries} entries`);
    const block = await readExactly(input, TAR_BLOCK_BYTES, 'before its end mark');
    if (isZeroBlock(block)) return undefined;
    const header = decodeHeader(block);
    if (await tookLongHeader(input, header, long)) continue;
    const name = safeName(long.name ?? header.name, header.type);
    const sizeBytes = long.sizeBytes ?? header.sizeBytes;
    if (header.type === '5') {
      await input.skip(header.sizeBytes + tarPadding(header.sizeBytes));
      delete long.name;
      delete long.sizeBytes;
      continue;
    }
    if (header.type !== '0' && header.type !== '7')
      throw refused(
        `has ${KINDS[header.type] ?? `an entry of type ${JSON.stringify(header.type)}`} ${JSON.stringify(name)}; only regular files are taken`,
      );
    if (count >= limits.maxEntries) throw refused(`has more than ${limits.maxEntries} entries`);
    return { name, sizeBytes, start: input.position(), chunks: () => readChunks(input, sizeBytes, name) };
  }
}

function decodeHeader(block: Uint8Array): TarHeader {
  try {
    return decodeTarHeader(block);
  } catch (error) {
    if (error instanceof RangeError) throw refused(error.message);
    throw error;
  }
}

/** `./` in front is how tar names what it was given as `.`; a folder may end in `/`. */
function safeName(raw: string, type: string): string {
  const name = raw.replace(/^(\.\/)+/, '');
  const plain = type === '5' ? name.replace(/\/+$/, '') : name;
  if (type === '5' && (plain === '' || plain === '.')) return '.';
  const reason = unsafePathReason(plain);
  if (reason !== undefined) throw refused(`has an entry ${JSON.stringify(raw)} whose name ${reason}`);
  return plain;
}

/** pax (`x`) and GNU (`L`) headers describe the entry after them; a global one (`g`) may only comment. */
async function tookLongHeader(input: TarInput, header: TarHeader, long: LongHeaders): Promise<boolean> {
  if (!['x', 'g', 'L'].includes(header.type)) return false;
  if (header.sizeBytes > MAX_LONG_HEADER_BYTES)
    throw refused(`has a header of ${header.sizeBytes} bytes; at most ${MAX_LONG_HEADER_BYTES} are read`);
  const body = await readExactly(input, header.sizeBytes, 'inside a header');
  await input.skip(tarPadding(header.sizeBytes));
  try {
    if (header.type === 'L') long.name = decodeTarText(body).replace(/\0[^]*$/, '');
    if (header.type === 'x') readPax(body, long);
  } catch (error) {
    if (error instanceof RangeError) throw refused(error.message);
    throw error;
  }
  return true;
}

function readPax(body: Uint8Array, long: LongHeaders): void {
  let rest = body;
  while (rest.length > 0) {
    const length = Number(/^(\d{1,6}) /.exec(decodeTarText(rest.subarray(0, rest.indexOf(0x20) + 1)))?.[1] ?? NaN);
    if (!(length > 3) || length > rest.length) throw new RangeError('has a broken pax header');
    const record = decodeTarText(rest.subarray(0, length));
    const [, key, value] = /^\d+ ([^=]+)=([^]*)\n$/.exec(record) ?? [];
    if (key === 'path') long.name = value;
    if (key === 'size') long.sizeBytes = paxSize(value);
    if (key?.startsWith('GNU.sparse.') === true) throw new RangeError('has a sparse file; pack it without --sparse');
    rest = rest.subarray(length);
  }
}

function paxSize(value: string | undefined): number {
  const size = /^\d{1,16}$/.test(value ?? '') ? Number(value) : NaN;
  if (!Number.isSafeInteger(size)) throw new RangeError('has a pax header with a broken size');
  return size;
}

async function* readChunks(input: TarInput, sizeBytes: number, name: string): AsyncGenerator<Uint8Array> {
  for (let left = sizeBytes; left > 0;) {
    const chunk = await input.read(Math.min(left, READ_BYTES));
    if (chunk.length === 0) throw refused(`ends in the middle of ${JSON.stringify(name)}; it is truncated`);
    left -= chunk.length;
    yield chunk;
  }
}

async function readExactly(input: TarInput, length: number, where: string): Promise<Uint8Array> {
  const bytes = await input.read(length);
  if (bytes.length < length) throw refused(`ends ${where}; it is truncated`);
  return bytes;
}
