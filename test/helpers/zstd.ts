/**
 * Zstandard frames made by hand (RFC 8878 section 3.1.1), because Node 20 has no encoder: uncompressed blocks for real
 * content, run-length blocks for bombs.
 */
const MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
/** No content size, no checksum; then a window of 128 KiB. */
const HEADER = Buffer.from([0x00, 7 << 3]);
const BLOCK_BYTES = 128 * 1024;

/** `abcdefgh` 30 times, by `zstd -19 --long=27` from a pipe: a compressed block, a checksum, and a window of 128 MiB. */
export const ZSTD_LONG_27 = Buffer.from('KLUv/QSIfQAAQGFiY2RlZmdoAQDl1OUCTLdVRg==', 'base64');
/** What `ZSTD_LONG_27` decompresses to. */
export const ZSTD_LONG_27_TEXT = 'abcdefgh'.repeat(30);

/** @returns a frame of user data, which decoders pass over */
export function skippableFrame(content: Uint8Array): Buffer {
  const header = Buffer.from([0x5e, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, content]);
}

/** @returns an empty frame whose header begins with these bytes behind the magic number */
export const emptyFrame = (...header: number[]): Buffer =>
  Buffer.concat([MAGIC, Buffer.from(header), blockHeader(RAW, 0, true)]);

const RAW = 0;
const RUN_LENGTH = 1;

/**
 * @param zeroBlocks blocks of 128 KiB of zeros that follow the bytes, in four bytes each
 * @returns a frame that decompresses to the bytes
 */
export function zstdOf(bytes: Uint8Array, zeroBlocks = 0): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += BLOCK_BYTES) {
    const content = bytes.subarray(at, at + BLOCK_BYTES);
    const isLast = zeroBlocks === 0 && at + BLOCK_BYTES >= bytes.length;
    blocks.push(blockHeader(RAW, content.length, isLast), Buffer.from(content));
  }
  for (let left = zeroBlocks; left > 0; left -= 1)
    blocks.push(blockHeader(RUN_LENGTH, BLOCK_BYTES, left === 1), Buffer.alloc(1));
  return Buffer.concat([MAGIC, HEADER, ...blocks]);
}

/** @returns a few kilobytes that decompress to so many zeros, rounded up to whole blocks */
export function zstdBomb(sizeBytes: number): Buffer {
  const count = Math.ceil(sizeBytes / BLOCK_BYTES);
  const blocks = Array.from({ length: count }, (_, index) =>
    Buffer.concat([blockHeader(RUN_LENGTH, BLOCK_BYTES, index === count - 1), Buffer.alloc(1)]),
  );
  return Buffer.concat([MAGIC, HEADER, ...blocks]);
}

function blockHeader(type: number, size: number, isLast: boolean): Buffer {
  const header = Buffer.alloc(3);
  header.writeUIntLE((isLast ? 1 : 0) | (type << 1) | (size << 3), 0, 3);
  return header;
}
