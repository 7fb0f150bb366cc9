import type { ReadAt } from '../formats/read-at.ts';

/** End of central directory record (APPNOTE 6.3.10, section 4.3.16), without its comment. */
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
const END_SIGNATURE = Buffer.from('PK\x05\x06', 'latin1');
const ENTRY_SIGNATURE = Buffer.from('PK\x01\x02', 'latin1');
const ZIP64_LOCATOR_SIGNATURE = Buffer.from('PK\x06\x07', 'latin1');
const ZIP64_LOCATOR_BYTES = 20;
/** In a field of 32 bits: the value stands in the zip64 record. */
const IN_ZIP64 = 0xffffffff;

/**
 * Whether a file ends as a zip does: an end record, with a comment of at most 64 KiB behind it, that names a central directory
 * which begins with an entry. The directory of the last volume of several may begin in another one.
 */
export async function hasZipEndRecord(readAt: ReadAt, sizeBytes: number): Promise<boolean> {
  const tailStart = Math.max(0, sizeBytes - END_BYTES - MAX_COMMENT_BYTES - ZIP64_LOCATOR_BYTES);
  const tail = Buffer.from(await readAt(tailStart, sizeBytes - tailStart));
  for (let at = tail.lastIndexOf(END_SIGNATURE); at >= 0; at = at === 0 ? -1 : tail.lastIndexOf(END_SIGNATURE, at - 1))
    if (at + END_BYTES <= tail.length && (await isEndRecord(readAt, tail, at, tailStart))) return true;
  return false;
}

async function isEndRecord(readAt: ReadAt, tail: Buffer, at: number, tailStart: number): Promise<boolean> {
  const commentBytes = tail.readUInt16LE(at + 20);
  if (at + END_BYTES + commentBytes > tail.length) return false;
  const [disk, directoryDisk] = [tail.readUInt16LE(at + 4), tail.readUInt16LE(at + 6)];
  const [count, directoryBytes, directoryStart] = [
    tail.readUInt16LE(at + 10),
    tail.readUInt32LE(at + 12),
    tail.readUInt32LE(at + 16),
  ];
  if (directoryBytes === IN_ZIP64 || directoryStart === IN_ZIP64 || count === 0xffff)
    return at >= ZIP64_LOCATOR_BYTES && startsWith(tail.subarray(at - ZIP64_LOCATOR_BYTES), ZIP64_LOCATOR_SIGNATURE);
  if (count === 0) return directoryBytes === 0;
  if (directoryDisk !== disk) return true;
  // The directory stands right in front of the end record, or where the record says; a program in front moves only the latter.
  const inFront = tailStart + at - directoryBytes;
  for (const start of [inFront, directoryStart])
    if (start >= 0 && startsWith(await readAt(start, ENTRY_SIGNATURE.length), ENTRY_SIGNATURE)) return true;
  return false;
}

const startsWith = (bytes: Uint8Array, signature: Buffer): boolean =>
  signature.every((byte, index) => bytes[index] === byte);
