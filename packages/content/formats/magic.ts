import type { ReadAt } from './read-at.ts';
import { nameOfBytes } from './known-bytes.ts';
import { tarHeaderProblem } from '../archives/tar-header.ts';
import { hasZipEndRecord } from '../archives/zip-end.ts';

const MAGIC = {
  gzip: [[0x1f, 0x8b, 0x08]],
  /** A zstd frame, or one of the sixteen skippable frames that may come first (RFC 8878 section 3.1). */
  zstd: [[0x28, 0xb5, 0x2f, 0xfd], ...Array.from({ length: 16 }, (_, i) => [0x50 + i, 0x2a, 0x4d, 0x18])],
  /** Local file header, empty archive, spanned archive. */
  zip: [
    [0x50, 0x4b, 0x03, 0x04],
    [0x50, 0x4b, 0x05, 0x06],
    [0x50, 0x4b, 0x07, 0x08],
  ],
} as const;

/** @param head at least 4 bytes of a file, unless it is shorter */
export const beginsLike = (head: Uint8Array, format: keyof typeof MAGIC): boolean =>
  MAGIC[format].some((magic) => magic.every((byte, index) => head[index] === byte));

/**
 * A zip is found by its end record: in front may stand a program that extracts it, and the last volume of several begins anywhere.
 *
 * @returns why the bytes are not those of the format
 */
export async function magicProblem(
  readAt: ReadAt,
  sizeBytes: number,
  format: 'gzip' | 'zstd' | 'tar' | 'zip',
): Promise<string | undefined> {
  if (format === 'tar') return tarHeaderProblem(await readAt(0, 512));
  const head = await readAt(0, 8);
  if (beginsLike(head, format)) return undefined;
  if (format !== 'zip') return `starts with ${showBytes(head)}, which no ${format} file does`;
  if (await hasZipEndRecord(readAt, sizeBytes)) return undefined;
  return `starts with ${showBytes(head)} and does not end with the end record of a zip file`;
}

/** Bytes for people: hexadecimal pairs, the text where all of them are printable, and what begins so. */
export function showBytes(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'nothing (the file is empty)';
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const printable = bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
  const name = nameOfBytes(bytes);
  const notes = [...(printable ? [JSON.stringify(String.fromCharCode(...bytes))] : []), ...(name ? [name] : [])];
  return notes.length === 0 ? hex : `${hex} (${notes.join(', ')})`;
}
