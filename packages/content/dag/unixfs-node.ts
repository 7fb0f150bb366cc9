import { VerifyError } from '#core/failure';
import { ByteReader } from '../cid/byte-reader.ts';

/** What a UnixFS node is. @see UnixFS specification, `Data.DataType` */
export const UNIXFS_TYPE = { raw: 0, directory: 1, file: 2, metadata: 3, symlink: 4, hamt: 5 } as const;

/** One link of a dag-pb node. The views point into the block. */
export interface DagLink {
  readonly hash: Uint8Array;
  readonly name: Uint8Array;
  /** Bytes of the whole DAG below, as the writer claims; undefined when it is left out. */
  readonly tsize: number | undefined;
}

export interface UnixfsNode {
  readonly type: number;
  /** UnixFS `Data`; for an inner node the part of the file that comes before its links. */
  readonly data: Uint8Array;
  readonly filesize: number | undefined;
  readonly blocksizes: readonly number[];
  readonly links: readonly DagLink[];
  /** HAMT directories only. */
  readonly hashType: number | undefined;
  readonly fanout: number | undefined;
}

const EMPTY = new Uint8Array(0);
const VARINT = 0;
const BYTES = 2;

/**
 * Reads a dag-pb block with a UnixFS message in it. Links may come before or after the data (IPIP-550); everything else
 * that the dag-pb specification forbids (unknown fields, interleaved links, fields out of order or twice) is refused.
 *
 * @param block verified bytes
 * @throws VerifyError `invalid-dag`: the content itself breaks the rules
 */
export function decodeUnixfsNode(block: Uint8Array): UnixfsNode {
  try {
    return decode(block);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new VerifyError('invalid-dag', `a dag-pb node breaks the rules: ${cause.message}`, { cause });
  }
}

function decode(block: Uint8Array): UnixfsNode {
  const reader = new ByteReader(block);
  const links: DagLink[] = [];
  let data: Uint8Array | undefined;
  let linksEnded = false;
  while (!reader.done) {
    const key = reader.varint();
    if (key === ((1 << 3) | BYTES)) {
      if (data !== undefined) throw new RangeError('Data comes twice');
      data = reader.field();
      linksEnded = links.length > 0;
    } else if (key === ((2 << 3) | BYTES)) {
      if (linksEnded) throw new RangeError('Data stands between Links');
      links.push(decodeLink(reader.field()));
    } else throw new RangeError(`key ${key} is neither Data nor Links`);
  }
  if (data === undefined) throw new RangeError('it has no UnixFS data');
  return decodeData(data, links);
}

function decodeLink(bytes: Uint8Array): DagLink {
  const reader = new ByteReader(bytes);
  let hash: Uint8Array | undefined;
  let name: Uint8Array = EMPTY;
  let tsize: number | undefined;
  let previous = 0;
  while (!reader.done) {
    const key = reader.varint();
    const field = key >> 3;
    if (field <= previous) throw new RangeError('the fields of a link are out of order or come twice');
    previous = field;
    if (key === ((1 << 3) | BYTES)) hash = reader.field();
    else if (key === ((2 << 3) | BYTES)) name = reader.field();
    else if (key === ((3 << 3) | VARINT)) tsize = reader.varint();
    else throw new RangeError(`key ${key} is unknown in a link`);
  }
  if (hash === undefined) throw new RangeError('a link has no CID');
  return { hash, name, tsize };
}

function decodeData(bytes: Uint8Array, links: readonly DagLink[]): UnixfsNode {
  const reader = new ByteReader(bytes);
  const blocksizes: number[] = [];
  const numbers: (number | undefined)[] = [];
  let data: Uint8Array | undefined;
  while (!reader.done) {
    const key = reader.varint();
    const field = Math.floor(key / 8);
    const wire = key % 8;
    if (field > 6) skip(reader, wire);
    else if (field === 4) readSizes(reader, wire, blocksizes);
    else if (wire !== (field === 2 ? BYTES : VARINT))
      throw new RangeError(`UnixFS field ${field} has wire type ${wire}`);
    else if (field === 2) data = once(data, reader.field(), field);
    else numbers[field] = once(numbers[field], reader.varint(), field);
  }
  const type = numbers[1];
  if (type === undefined) throw new RangeError('UnixFS has no Type');
  return {
    type,
    data: data ?? EMPTY,
    filesize: numbers[3],
    blocksizes,
    links,
    hashType: numbers[5],
    fanout: numbers[6],
  };
}

function once<T>(before: T | undefined, value: T, field: number): T {
  if (before !== undefined) throw new RangeError(`UnixFS field ${field} comes twice`);
  return value;
}

/** Block sizes come one by one, or packed. */
function readSizes(reader: ByteReader, wire: number, into: number[]): void {
  if (wire === VARINT) into.push(reader.varint());
  else if (wire === BYTES) {
    const packed = new ByteReader(reader.field());
    while (!packed.done) into.push(packed.varint());
  } else throw new RangeError(`UnixFS block sizes have wire type ${wire}`);
}

/** Mode, mtime and what later versions add do not change the bytes of a file. */
function skip(reader: ByteReader, wire: number): void {
  if (wire === VARINT) reader.varint();
  else if (wire === BYTES) reader.field();
  else if (wire === 5) reader.take(4);
  else if (wire === 1) reader.take(8);
  else throw new RangeError(`wire type ${wire} is unknown`);
}
