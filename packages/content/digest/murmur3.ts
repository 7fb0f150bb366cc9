const MASK = 0xffffffffffffffffn;
const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;

/**
 * The first half of MurmurHash3 x64 128 with seed 0: how HAMT directories place a name. For short names only (BigInt).
 *
 * @returns 64 bits
 * @see UnixFS specification, HAMT directories, hash `murmur3-x64-64`
 */
export function murmur3x64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const blocks = bytes.length >> 4;
  let h1 = 0n;
  let h2 = 0n;
  for (let block = 0; block < blocks; block += 1) {
    h1 ^= mixed(view.getBigUint64(block * 16, true), C1, 31n, C2);
    h1 = ((rotated(h1, 27n) + h2) * 5n + 0x52dce729n) & MASK;
    h2 ^= mixed(view.getBigUint64(block * 16 + 8, true), C2, 33n, C1);
    h2 = ((rotated(h2, 31n) + h1) * 5n + 0x38495ab5n) & MASK;
  }
  const tail = bytes.subarray(blocks * 16);
  h2 ^= mixed(littleEndian(tail.subarray(8)), C2, 33n, C1);
  h1 ^= mixed(littleEndian(tail.subarray(0, 8)), C1, 31n, C2);
  const length = BigInt(bytes.length);
  h1 = ((h1 ^ length) + (h2 ^ length)) & MASK;
  h2 = ((h2 ^ length) + h1) & MASK;
  return (finalMix(h1) + finalMix(h2)) & MASK;
}

const rotated = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & MASK;

const mixed = (value: bigint, before: bigint, bits: bigint, after: bigint): bigint =>
  (rotated((value * before) & MASK, bits) * after) & MASK;

function finalMix(value: bigint): bigint {
  let h = value;
  h = ((h ^ (h >> 33n)) * 0xff51afd7ed558ccdn) & MASK;
  h = ((h ^ (h >> 33n)) * 0xc4ceb9fe1a85ec53n) & MASK;
  return h ^ (h >> 33n);
}

const littleEndian = (bytes: Uint8Array): bigint => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
