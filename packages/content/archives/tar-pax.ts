import { decodeTarText } from './tar-header.ts';

/** What extended headers say of the entry behind them, as far as it is used here. */
export interface TarExtension {
  /** Undecoded, like the name of a header. */
  name?: Uint8Array | undefined;
  sizeBytes?: number | undefined;
  sparse?: PaxSparse | undefined;
}

/** GNU's sparse files in pax headers: versions 0.0 and 0.1 have their map here, 1.0 has it in front of the data. */
export interface PaxSparse {
  /** `1.0`, or undefined for the versions before. */
  major?: number | undefined;
  /** Length of the file with its holes. */
  sizeBytes?: number | undefined;
  /** Offset and length by turns. */
  map: number[];
}

const EQUALS = 0x3d;
const SPACE = 0x20;
const NEWLINE = 0x0a;

/**
 * Reads the records `length key=value\n` of a pax header into `extension`. Only values that are used are decoded: others may be
 * binary.
 *
 * @throws RangeError that says what is broken
 * @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_03
 * @see https://www.gnu.org/software/tar/manual/html_node/Sparse-Formats.html
 */
export function readPax(body: Uint8Array, extension: TarExtension): void {
  // Some programs fill the last block up inside the header's length.
  for (let rest = body; rest.length > 0 && rest[0] !== 0;) {
    const space = rest.indexOf(SPACE);
    const length = space < 1 || space > 8 ? NaN : wholeNumber(rest.subarray(0, space));
    const equals = rest.indexOf(EQUALS, space);
    if (!(length <= rest.length) || !(equals < length) || equals < 0 || rest[length - 1] !== NEWLINE)
      throw new RangeError('has a broken pax header');
    const key = Buffer.from(rest.subarray(space + 1, equals)).toString('latin1');
    takeRecord(key, rest.subarray(equals + 1, length - 1), extension);
    rest = rest.subarray(length);
  }
}

function takeRecord(key: string, value: Uint8Array, extension: TarExtension): void {
  if (key === 'path') extension.name = value;
  else if (key === 'size') extension.sizeBytes = numberOf(key, value);
  else if (key.startsWith('GNU.sparse.')) takeSparse(key, value, extension);
}

function takeSparse(key: string, value: Uint8Array, extension: TarExtension): void {
  const sparse = (extension.sparse ??= { map: [] });
  switch (key.slice('GNU.sparse.'.length)) {
    case 'major':
      sparse.major = numberOf(key, value);
      break;
    case 'name':
      extension.name = value;
      break;
    case 'size':
    case 'realsize':
      sparse.sizeBytes = numberOf(key, value);
      break;
    case 'offset':
    case 'numbytes':
      sparse.map.push(numberOf(key, value));
      break;
    case 'map':
      sparse.map = decodeTarText(value)
        .split(',')
        .map((number) => numberOf(key, Buffer.from(number)));
  }
}

function numberOf(key: string, value: Uint8Array): number {
  const number = wholeNumber(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`has a pax header with a broken ${key}`);
  return number;
}

function wholeNumber(digits: Uint8Array): number {
  const text = Buffer.from(digits.subarray(0, 20)).toString('latin1');
  return /^\d+$/.test(text) ? Number(text) : NaN;
}
