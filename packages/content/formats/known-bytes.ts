/** What files begin with that are taken for something else: other compressions, archives, pages, pointers. */
const BEGINNINGS: readonly (readonly [name: string, bytes: string])[] = [
  ['gzip', '\x1f\x8b'],
  ['zstd', '\x28\xb5\x2f\xfd'],
  ['zstd of before version 0.8', '\x1e\xb5\x2f\xfd'],
  ...[2, 3, 4, 5, 6, 7].map(
    (last) => ['zstd of before version 0.8', `${String.fromCharCode(0x20 + last)}\xb5\x2f\xfd`] as const,
  ),
  ['xz', '\xfd7zXZ'],
  ['bzip2', 'BZh'],
  ['lz4', '\x04\x22\x4d\x18'],
  ['lz4', '\x02\x21\x4c\x18'],
  ['lzip', 'LZIP'],
  ['lzma', '\x5d\x00\x00'],
  ['lzop', '\x89LZO'],
  ['compress (.Z)', '\x1f\x9d'],
  ['zip', 'PK\x03\x04'],
  ['zip', 'PK\x05\x06'],
  ['zip', 'PK\x07\x08'],
  ['7z', '7z\xbc\xaf'],
  ['rar', 'Rar!'],
  ['an ar archive, such as .deb', '!<arch>'],
  ['cpio', '07070'],
  ['cpio', '\xc7\x71'],
  ['GGUF', 'GGUF'],
  ['a Git LFS pointer', 'version https://git-lfs'],
  ['PDF', '%PDF'],
];

/** Where a POSIX or GNU tar header says what it is. */
const TAR_MAGIC_AT = 257;

/**
 * @param head the first bytes of a file; 4 tell most names, 262 all of them
 * @returns what they are the beginning of, for a message; undefined when nothing is known
 */
export function nameOfBytes(head: Uint8Array): string | undefined {
  const text = String.fromCharCode(...head.subarray(0, 32));
  const known = BEGINNINGS.find(([, bytes]) => text.startsWith(bytes));
  if (known !== undefined) return known[0];
  if (/^\s*<(!doctype|html)/i.test(text)) return 'HTML';
  return String.fromCharCode(...head.subarray(TAR_MAGIC_AT, TAR_MAGIC_AT + 5)) === 'ustar' ? 'tar' : undefined;
}
