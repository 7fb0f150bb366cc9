import { hash as hashOnce } from 'node:crypto';
import { concat, sameBytes } from '../cid/byte-reader.ts';
import { tryParseCid } from '../cid/cid.ts';
import { FRAMING, type LeafFrame, type LeafTable } from './leaf-table.ts';
import { hashSpec } from '../digest/multihash.ts';

/**
 * Layout, little-endian: magic 8 · hash code u32 · digest length u16 · length of the root CID u16 · leaves u32 · known
 * u32 · frames u32 · file size f64 · root CID · per leaf u32 (framing in the top 3 bits, length below) · digests ·
 * known segments (leaf u32, length u32, bytes) · frames (leaf u32, pre u16, post u16, bytes) · SHA-256 of all before.
 */
const MAGIC = Buffer.from('HLEAVES1');
const HEAD_BYTES = 36;
const CHECK_BYTES = 32;
const LENGTH_BITS = 29;
const MAX_LEAF_BYTES = 2 ** LENGTH_BITS - 1;

/**
 * Writes a leaf table compactly: 36 bytes a leaf for SHA-256.
 *
 * @throws RangeError for a leaf of 512 MiB or more, which the walk never lets in
 */
export function encodeLeafTable(table: LeafTable): Uint8Array {
  const root = Buffer.from(table.rootCid);
  const parts = [head(table, root.length), root, lengths(table), table.digests];
  for (const [index, bytes] of table.known) parts.push(words(index, bytes.length), bytes);
  for (const [index, { pre, post }] of table.frames ?? [])
    parts.push(words(index, pre.length | (post.length << 16)), pre, post);
  const body = concat(parts);
  return concat([body, sha256(body)]);
}

/**
 * Reads a leaf table back.
 *
 * @returns undefined for anything that is not exactly what `encodeLeafTable` wrote: another version, cut, changed.
 *   Then the table is built again, from the kept inner blocks if they are sound.
 */
export function decodeLeafTable(file: Uint8Array): LeafTable | undefined {
  const end = file.length - CHECK_BYTES;
  if (end < HEAD_BYTES || !sameBytes(file.subarray(0, MAGIC.length), MAGIC)) return undefined;
  if (!sameBytes(sha256(file.subarray(0, end)), file.subarray(end))) return undefined;
  return readBody(new Cursor(file, MAGIC.length, end));
}

const sha256 = (bytes: Uint8Array): Uint8Array => hashOnce('sha256', bytes, 'buffer');

function head(table: LeafTable, rootBytes: number): Uint8Array {
  const out = Buffer.alloc(HEAD_BYTES);
  MAGIC.copy(out);
  out.writeUInt32LE(table.hashCode, 8);
  out.writeUInt16LE(table.digestBytes, 12);
  out.writeUInt16LE(rootBytes, 14);
  out.writeUInt32LE(table.count, 16);
  out.writeUInt32LE(table.known.size, 20);
  out.writeUInt32LE(table.frames?.size ?? 0, 24);
  out.writeDoubleLE(table.sizeBytes, 28);
  return out;
}

function lengths(table: LeafTable): Uint8Array {
  const out = Buffer.alloc(table.count * 4);
  for (let index = 0; index < table.count; index += 1) {
    const bytes = table.starts[index + 1]! - table.starts[index]!;
    if (bytes > MAX_LEAF_BYTES) throw new RangeError(`leaf ${index} has ${bytes} bytes: at most ${MAX_LEAF_BYTES} fit`);
    out.writeUInt32LE(((table.framing[index]! << LENGTH_BITS) | bytes) >>> 0, index * 4);
  }
  return out;
}

function words(...values: readonly number[]): Uint8Array {
  const out = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => out.writeUInt32LE(value >>> 0, at * 4));
  return out;
}

function readBody(cursor: Cursor): LeafTable | undefined {
  const hashCode = cursor.u32();
  const digestBytes = cursor.u16();
  const rootBytes = cursor.u16();
  const count = cursor.u32();
  const knownCount = cursor.u32();
  const frameCount = cursor.u32();
  const sizeBytes = cursor.f64();
  const rootCid = Buffer.from(cursor.bytes(rootBytes)).toString();
  if (cursor.left < count * (4 + digestBytes) || hashSpec(hashCode) === undefined) return undefined;
  const { starts, framing } = readLengths(cursor, count);
  const digests = cursor.bytes(count * digestBytes);
  const known = new Map<number, Uint8Array>();
  for (let i = 0; i < knownCount && cursor.left > 0; i += 1) known.set(cursor.u32(), cursor.bytes(cursor.u32()));
  const frames = new Map<number, LeafFrame>();
  for (let i = 0; i < frameCount && cursor.left > 0; i += 1) frames.set(cursor.u32(), readFrame(cursor));
  const table = { rootCid, sizeBytes, count, starts, hashCode, digestBytes, digests, framing, known };
  const whole = frames.size === 0 ? { ...table, frames: undefined } : { ...table, frames };
  return cursor.left === 0 && isConsistent(whole) ? whole : undefined;
}

function readLengths(cursor: Cursor, count: number): { starts: Float64Array; framing: Uint8Array } {
  const starts = new Float64Array(count + 1);
  const framing = new Uint8Array(count);
  for (let index = 0; index < count; index += 1) {
    const word = cursor.u32();
    framing[index] = word >>> LENGTH_BITS;
    starts[index + 1] = starts[index]! + (word & MAX_LEAF_BYTES);
  }
  return { starts, framing };
}

function readFrame(cursor: Cursor): LeafFrame {
  const pre = cursor.u16();
  const post = cursor.u16();
  return { pre: cursor.bytes(pre), post: cursor.bytes(post) };
}

/** A sound checksum says that the file is what was written; this says that what was written makes sense. */
function isConsistent(table: LeafTable): boolean {
  if (table.starts[table.count] !== table.sizeBytes || tryParseCid(table.rootCid)?.cid !== table.rootCid) return false;
  for (const [index, bytes] of table.known)
    if (index >= table.count || bytes.length !== table.starts[index + 1]! - table.starts[index]!) return false;
  return table.framing.every((framing, index) =>
    framing === FRAMING.pbOther ? table.frames?.has(index) === true : framing <= FRAMING.pbUnknown,
  );
}

/** Reads little-endian fields; beyond the end it gives zeros and nothing, which the length checks then refuse. */
class Cursor {
  private readonly view: Buffer;
  private at: number;

  constructor(file: Uint8Array, start: number, end: number) {
    this.view = Buffer.from(file.buffer, file.byteOffset, end);
    this.at = start;
  }

  get left(): number {
    return this.view.length - this.at;
  }

  u16(): number {
    return this.step(2) ? this.view.readUInt16LE(this.at - 2) : 0;
  }

  u32(): number {
    return this.step(4) ? this.view.readUInt32LE(this.at - 4) : 0;
  }

  f64(): number {
    return this.step(8) ? this.view.readDoubleLE(this.at - 8) : 0;
  }

  bytes(length: number): Uint8Array {
    const start = this.at;
    this.at += length;
    return new Uint8Array(this.view.subarray(start, this.at));
  }

  private step(length: number): boolean {
    this.at += length;
    return this.at <= this.view.length;
  }
}
