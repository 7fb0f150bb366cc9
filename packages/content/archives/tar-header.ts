import { Buffer } from 'node:buffer';

export const TAR_BLOCK_BYTES = 512;

/** What one 512-byte header says. Long names (pax, GNU) come in headers of their own and are not resolved here. */
export interface TarHeader {
  /** Undecoded: names that nothing asks for may be in any encoding. */
  readonly name: Uint8Array;
  /** Undefined where the field is no number. */
  readonly sizeBytes: number | undefined;
  /** `0` regular, `1` hard link, `2` symbolic link, `3` and `4` devices, `5` folder, `6` FIFO, `x` and `g` pax, `L` and `K` GNU long names, `S` GNU sparse. */
  readonly type: string;
  /** True for the layout of GNU tar, whose last fields hold a sparse map. */
  readonly isGnu: boolean;
}

/** @returns the bytes of padding that follow a member of this size */
export const tarPadding = (sizeBytes: number): number =>
  (TAR_BLOCK_BYTES - (sizeBytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;

export const isZeroBlock = (block: Uint8Array): boolean => block.every((byte) => byte === 0);

/** @returns why a block is not a tar header, or undefined when it is one */
export function tarHeaderProblem(block: Uint8Array): string | undefined {
  if (block.length < TAR_BLOCK_BYTES) return `has ${block.length} bytes, less than a tar header`;
  if (isZeroBlock(block)) return undefined;
  const checksum = readTarNumber(block, 148, 8);
  if (checksum !== checksumOf(block) && checksum !== signedChecksumOf(block))
    return 'has a tar header whose checksum is wrong';
  return undefined;
}

/**
 * Reads one header (v7, POSIX ustar, GNU).
 *
 * @param block 512 bytes with a right checksum (`tarHeaderProblem`), not all zero
 */
export function decodeTarHeader(block: Uint8Array): TarHeader {
  const type = block[156] === 0 ? '0' : String.fromCharCode(block[156]!);
  const magic = Buffer.from(block.subarray(257, 265)).toString('latin1');
  const prefix = magic.startsWith('ustar\x000') ? readText(block, 345, 155) : new Uint8Array(0);
  const name = readText(block, 0, 100);
  return {
    name: prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]),
    sizeBytes: readTarNumber(block, 124, 12),
    type,
    isGnu: magic === 'ustar  \0',
  };
}

/** @returns the bytes before the first zero */
function readText(block: Uint8Array, start: number, length: number): Uint8Array {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}

/** @throws RangeError for text that is not UTF-8 */
export function decodeTarText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new RangeError('has a name that is not UTF-8');
  }
}

/** @returns a number of octal digits, or of GNU's base-256 form for what they cannot hold; undefined for a negative one, or none */
export function readTarNumber(block: Uint8Array, start: number, length: number): number | undefined {
  const field = block.subarray(start, start + length);
  if (field[0]! >= 0x80) {
    if (field[0]! >= 0xc0) return undefined;
    const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, field[0]! & 0x3f);
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const text = Buffer.from(field).toString('latin1').replace(/\0.*$/s, '').trim();
  return /^[0-7]*$/.test(text) ? parseInt(text || '0', 8) : undefined;
}

/** The sum of all bytes with the checksum field itself taken as spaces. */
function checksumOf(block: Uint8Array): number {
  let sum = 8 * 0x20;
  for (let index = 0; index < TAR_BLOCK_BYTES; index += 1) if (index < 148 || index >= 156) sum += block[index]!;
  return sum;
}

/** Some old programs took bytes as signed. */
function signedChecksumOf(block: Uint8Array): number {
  let high = 0;
  for (let index = 0; index < TAR_BLOCK_BYTES; index += 1)
    if ((index < 148 || index >= 156) && block[index]! >= 0x80) high += 1;
  return checksumOf(block) - high * 256;
}

const MAX_OCTAL_SIZE = 0o77777777777;
const NAME_BYTES = 100;
const SIZE_AT = 124;
const CHECKSUM_AT = 148;
const TYPE_AT = 156;

/**
 * Writes the headers of one regular file, always the same for the same name and size: mode 0644, owner 0, time 0. A name over
 * 100 bytes, or a size over 8 GiB, gets a pax header first (POSIX.1-2001).
 */
export function encodeTarHeader(name: string, sizeBytes: number): Uint8Array {
  const pax: string[] = [];
  if (Buffer.byteLength(name) > NAME_BYTES) pax.push(paxRecord('path', name));
  if (sizeBytes > MAX_OCTAL_SIZE) pax.push(paxRecord('size', String(sizeBytes)));
  const shown = Buffer.byteLength(name) > NAME_BYTES ? 'long-name' : name;
  const header = encodeBlock(shown, Math.min(sizeBytes, MAX_OCTAL_SIZE), '0');
  if (pax.length === 0) return header;
  const body = Buffer.from(pax.join(''));
  return Buffer.concat([
    encodeBlock('pax-header', body.length, 'x'),
    body,
    Buffer.alloc(tarPadding(body.length)),
    header,
  ]);
}

/**
 * The same for a file whose header is one block, written into a buffer of many: nothing is allocated.
 *
 * @param name at most 100 bytes
 * @param sizeBytes at most 8 GiB
 * @returns position behind the header
 */
export function writeTarHeader(target: Buffer, at: number, name: string, sizeBytes: number): number {
  writeBlock(target, at, name, sizeBytes, '0');
  return at + TAR_BLOCK_BYTES;
}

/** `length key=value\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest) + 1;
  while (length !== Buffer.byteLength(`${length}${rest}`)) length = Buffer.byteLength(`${length}${rest}`);
  return `${length}${rest}`;
}

function encodeBlock(name: string, sizeBytes: number, type: string): Buffer {
  const block = Buffer.alloc(TAR_BLOCK_BYTES);
  writeBlock(block, 0, name, sizeBytes, type);
  return block;
}

const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;

/** What is the same in all headers. */
const TEMPLATE = Buffer.alloc(TAR_BLOCK_BYTES);
TEMPLATE.write(octal(0o644, 7), 100, 'latin1');
TEMPLATE.write(octal(0, 7), 108, 'latin1');
TEMPLATE.write(octal(0, 7), 116, 'latin1');
TEMPLATE.write(octal(0, 11), 136, 'latin1');
TEMPLATE.write('ustar\0', 257, 'latin1');
TEMPLATE.write('00', 263, 'latin1');
const TEMPLATE_SUM = checksumOf(TEMPLATE);

function writeBlock(target: Buffer, at: number, name: string, sizeBytes: number, type: string): void {
  TEMPLATE.copy(target, at);
  target.write(name, at, NAME_BYTES, 'utf8');
  target.write(octal(sizeBytes, 11), at + SIZE_AT, 'latin1');
  target.write(type, at + TYPE_AT, 'latin1');
  const sum = TEMPLATE_SUM + sumOf(target, at, NAME_BYTES) + sumOf(target, at + SIZE_AT, 12) + target[at + TYPE_AT]!;
  target.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + CHECKSUM_AT, 'latin1');
}

function sumOf(bytes: Uint8Array, start: number, length: number): number {
  let sum = 0;
  for (let index = start; index < start + length; index += 1) sum += bytes[index]!;
  return sum;
}
