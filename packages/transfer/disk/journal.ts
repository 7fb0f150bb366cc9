import { createHash } from 'node:crypto';
import type { Validator } from '#core/bytes/validator';

/**
 * The journal of a partial: which units are on the disk, and which source sent each. Binary, little-endian:
 *
 *     8  magic "HAULJRNL"
 *     2  version
 *     1  flags: 1 = clean stop: no unit was written that the bitmap does not record
 *     1  0
 *     4  length of the names block N
 *     8  file length, float64
 *     4  number of units
 *     4  number of provenance runs R
 *    32  identity of the file
 *    32  hash of the grid
 *     N  names: JSON [[source, [place, etag|null, last-modified|null]|null], …]
 *   6·R  runs: uint32 units, uint16 index of the name (0xffff: none)
 *     …  bitmap, one bit per unit, lowest bit first
 *    16  first half of the SHA-256 of everything before
 */
export interface Journal {
  /** Identifies the file: hash of its digests and CID. 32 bytes. */
  readonly identity: Uint8Array;
  /** Identifies the grid. 32 bytes. */
  readonly gridHash: Uint8Array;
  readonly sizeBytes: number;
  readonly count: number;
  readonly isClean: boolean;
  readonly bitmap: Uint8Array;
  /** Source of every unit, as an index of `names`; NO_NAME for none. */
  readonly origins: Uint16Array;
  readonly names: readonly JournalName[];
}

export interface JournalName {
  readonly source: string;
  /** Version of the bytes that the source sent; unproven bytes may only be continued under it. */
  readonly validator: Validator | undefined;
}

export type JournalReading =
  | { readonly ok: true; readonly journal: Journal }
  | { readonly ok: false; readonly reason: 'absent' | 'damaged' | 'other-version' };

export const NO_NAME = 0xffff;
/** A journal of 2^22 units with a provenance run for each has 26 MB; a longer file is no journal. */
export const MAX_JOURNAL_BYTES = 32 * 1024 * 1024;

const MAGIC = Buffer.from('HAULJRNL');
const VERSION = 1;
const HEAD_BYTES = 96;
const RUN_BYTES = 6;
const CHECK_BYTES = 16;
const CLEAN = 1;

export function encodeJournal(journal: Journal): Uint8Array {
  const names = Buffer.from(JSON.stringify(journal.names.map(encodeName)));
  const runs = encodeRuns(journal.origins);
  const head = Buffer.alloc(HEAD_BYTES);
  MAGIC.copy(head, 0);
  head.writeUInt16LE(VERSION, 8);
  head.writeUInt8(journal.isClean ? CLEAN : 0, 10);
  head.writeUInt32LE(names.length, 12);
  head.writeDoubleLE(journal.sizeBytes, 16);
  head.writeUInt32LE(journal.count, 24);
  head.writeUInt32LE(runs.length / RUN_BYTES, 28);
  head.set(journal.identity, 32);
  head.set(journal.gridHash, 64);
  const body = Buffer.concat([head, names, runs, journal.bitmap]);
  return Buffer.concat([body, checkOf(body)]);
}

/** Reads a journal. Never throws: the reason is returned for anything that is not an intact journal of this version. */
export function decodeJournal(bytes: Uint8Array | undefined): JournalReading {
  if (bytes === undefined) return { ok: false, reason: 'absent' };
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (all.length < HEAD_BYTES + CHECK_BYTES || !all.subarray(0, MAGIC.length).equals(MAGIC)) return DAMAGED;
  if (all.readUInt16LE(8) !== VERSION) return { ok: false, reason: 'other-version' };
  const body = all.subarray(0, -CHECK_BYTES);
  if (!checkOf(body).equals(all.subarray(-CHECK_BYTES))) return DAMAGED;
  const journal = decodeBody(body);
  return journal === undefined ? DAMAGED : { ok: true, journal };
}

const DAMAGED: JournalReading = { ok: false, reason: 'damaged' };

const checkOf = (body: Uint8Array): Buffer => createHash('sha256').update(body).digest().subarray(0, CHECK_BYTES);

function decodeBody(body: Buffer): Journal | undefined {
  const count = body.readUInt32LE(24);
  const namesEnd = HEAD_BYTES + body.readUInt32LE(12);
  const runsEnd = namesEnd + body.readUInt32LE(28) * RUN_BYTES;
  const bitmap = body.subarray(runsEnd);
  if (runsEnd > body.length || bitmap.length !== Math.ceil(count / 8)) return undefined;
  const names = decodeNames(body.subarray(HEAD_BYTES, namesEnd).toString('utf8'));
  const origins = decodeRuns(body.subarray(namesEnd, runsEnd), count);
  if (names === undefined || origins === undefined) return undefined;
  return {
    identity: body.subarray(32, 64),
    gridHash: body.subarray(64, 96),
    sizeBytes: body.readDoubleLE(16),
    count,
    isClean: (body.readUInt8(10) & CLEAN) !== 0,
    bitmap,
    origins,
    names,
  };
}

type ValidatorRow = readonly [place: string, etag: string | null, lastModified: string | null];
/** Journals of older versions have only the ETag, which is not enough. */
type NameRow = readonly [source: string, validator: ValidatorRow | string | null];

const encodeName = ({ source, validator }: JournalName): NameRow => [
  source,
  validator === undefined ? null : [validator.place, validator.etag ?? null, validator.lastModified ?? null],
];

function decodeValidator(row: NameRow[1]): Validator | undefined {
  if (!Array.isArray(row)) return undefined;
  const [place, etag, lastModified] = row as ValidatorRow;
  return { place, etag: etag ?? undefined, lastModified: lastModified ?? undefined };
}

function decodeNames(text: string): JournalName[] | undefined {
  try {
    return (JSON.parse(text) as NameRow[]).map(([source, row]) => ({ source, validator: decodeValidator(row) }));
  } catch {
    return undefined;
  }
}

function encodeRuns(origins: Uint16Array): Buffer {
  const runs: [number, number][] = [];
  for (const origin of origins) {
    const last = runs.at(-1);
    if (last?.[1] === origin) last[0] += 1;
    else runs.push([1, origin]);
  }
  const bytes = Buffer.alloc(runs.length * RUN_BYTES);
  runs.forEach(([units, origin], index) => {
    bytes.writeUInt32LE(units, index * RUN_BYTES);
    bytes.writeUInt16LE(origin, index * RUN_BYTES + 4);
  });
  return bytes;
}

function decodeRuns(bytes: Buffer, count: number): Uint16Array | undefined {
  const origins = new Uint16Array(count);
  let unit = 0;
  for (let at = 0; at < bytes.length; at += RUN_BYTES) {
    const units = bytes.readUInt32LE(at);
    if (unit + units > count) return undefined;
    origins.fill(bytes.readUInt16LE(at + 4), unit, unit + units);
    unit += units;
  }
  return unit === count ? origins : undefined;
}

export const bitOf = (bitmap: Uint8Array, unit: number): boolean => (bitmap[unit >> 3]! & (1 << (unit & 7))) !== 0;

export function setBit(bitmap: Uint8Array, unit: number): void {
  bitmap[unit >> 3]! |= 1 << (unit & 7);
}
