import { readTarNumber, TAR_BLOCK_BYTES } from './tar-header.ts';

/** A stretch of a sparse file that has data; what lies between them is zero. */
export interface SparsePart {
  readonly offset: number;
  readonly bytes: number;
}

const PAIR_BYTES = 24;
const HEADER_PAIRS_AT = 386;
const HEADER_PAIRS = 4;
const HEADER_GOES_ON_AT = 482;
const REAL_SIZE_AT = 483;
const BLOCK_PAIRS = 21;
const BLOCK_GOES_ON_AT = 504;
/** More parts are not kept in memory. */
const MAX_PARTS = 1_000_000;
const ZERO_BYTES = 256 * 1024;

/** Length of the file with its holes, in a header of type `S`. */
export const gnuRealSize = (header: Uint8Array): number | undefined => readTarNumber(header, REAL_SIZE_AT, 12);

/**
 * Reads the sparse map of a GNU header (type `S`), and the blocks behind the header that continue it.
 *
 * @param nextBlock gives the next 512 bytes
 * @throws RangeError for a broken map
 */
export async function readGnuMap(header: Uint8Array, nextBlock: () => Promise<Uint8Array>): Promise<SparsePart[]> {
  const parts = pairsOf(header, HEADER_PAIRS_AT, HEADER_PAIRS);
  for (let goesOn = header[HEADER_GOES_ON_AT] !== 0; goesOn;) {
    const block = await nextBlock();
    parts.push(...pairsOf(block, 0, BLOCK_PAIRS));
    if (parts.length > MAX_PARTS) throw new RangeError(`has a sparse file of more than ${MAX_PARTS} parts`);
    goesOn = block[BLOCK_GOES_ON_AT] !== 0;
  }
  return parts;
}

function pairsOf(block: Uint8Array, start: number, count: number): SparsePart[] {
  const parts: SparsePart[] = [];
  for (let index = 0; index < count; index += 1) {
    const at = start + index * PAIR_BYTES;
    if (block[at] === 0) break;
    const [offset, bytes] = [readTarNumber(block, at, 12), readTarNumber(block, at + 12, 12)];
    if (offset === undefined || bytes === undefined) throw new RangeError('has a sparse file with a broken map');
    parts.push({ offset, bytes });
  }
  return parts;
}

/**
 * Reads the map that stands in front of the data (pax, version 1.0): decimal lines, the number of parts first, filled up to a block.
 *
 * @throws RangeError for a broken map
 */
export async function readLeadingMap(nextBlock: () => Promise<Uint8Array>): Promise<SparsePart[]> {
  const numbers: number[] = [];
  let line = '';
  for (let wanted = 1; numbers.length < wanted;) {
    const lines = (line + Buffer.from(await nextBlock()).toString('latin1')).split('\n');
    line = lines.pop()!;
    for (const text of lines) if (numbers.length < wanted) wanted = 1 + 2 * push(numbers, text);
    if (line.length > TAR_BLOCK_BYTES) throw new RangeError('has a sparse file with a broken map');
  }
  return partsOf(numbers.slice(1));
}

/** @returns the number of parts that the map has */
function push(numbers: number[], text: string): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(number)) throw new RangeError('has a sparse file with a broken map');
  numbers.push(number);
  if (numbers[0]! > MAX_PARTS) throw new RangeError(`has a sparse file of more than ${MAX_PARTS} parts`);
  return numbers[0]!;
}

/** @param numbers offset and length by turns */
export const partsOf = (numbers: readonly number[]): SparsePart[] =>
  Array.from({ length: Math.floor(numbers.length / 2) }, (_, index) => ({
    offset: numbers[2 * index]!,
    bytes: numbers[2 * index + 1]!,
  }));

/** @returns why a map does not fit the stored bytes and the size of its file */
export function mapProblem(parts: readonly SparsePart[], storedBytes: number, sizeBytes: number): string | undefined {
  let [end, sum] = [0, 0];
  for (const { offset, bytes } of parts) {
    if (offset < end) return 'has parts that overlap';
    end = offset + bytes;
    sum += bytes;
  }
  if (end > sizeBytes) return `has a part that ends at byte ${end} of ${sizeBytes}`;
  return sum === storedBytes ? undefined : `describes ${sum} bytes of data where ${storedBytes} are stored`;
}

/** The bytes of a sparse file, zeros for its holes. @param stored gives the next so many stored bytes */
export async function* expand(
  parts: readonly SparsePart[],
  sizeBytes: number,
  stored: (bytes: number) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const { offset, bytes } of parts) {
    yield* zeros(offset - at);
    yield* stored(bytes);
    at = offset + bytes;
  }
  yield* zeros(sizeBytes - at);
}

function* zeros(bytes: number): Generator<Uint8Array> {
  const block = new Uint8Array(Math.min(bytes, ZERO_BYTES));
  for (let left = bytes; left > 0; left -= block.length) yield block.subarray(0, Math.min(left, block.length));
}
