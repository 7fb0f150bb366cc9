import type { ReadAt } from './read-at.ts';
import { showBytes } from './magic.ts';

/** The first version counts in 32 bits, later ones in 64. */
const VERSIONS: Readonly<Record<number, Layout>> = {
  1: { countBytes: 4, leastTensorBytes: 20, leastPairBytes: 9 },
  2: { countBytes: 8, leastTensorBytes: 24, leastPairBytes: 13 },
  3: { countBytes: 8, leastTensorBytes: 24, leastPairBytes: 13 },
};
/** Magic and version. */
const PREFIX_BYTES = 8;

interface Layout {
  readonly countBytes: 4 | 8;
  /** Least bytes that one tensor takes: length of its name, number of dimensions, type, offset. */
  readonly leastTensorBytes: number;
  /** Least bytes that one key-value pair takes: length of the key, type, value. */
  readonly leastPairBytes: number;
}

/**
 * A version that is not known here is taken: of it nothing but the magic is checked.
 *
 * @returns why the header cannot be GGUF
 * @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md: magic, u32 version, tensor count, key-value count
 */
export async function ggufProblem(readAt: ReadAt, sizeBytes: number): Promise<string | undefined> {
  const head = await readAt(0, 24);
  if (head.length < 4 || String.fromCharCode(...head.subarray(0, 4)) !== 'GGUF')
    return `starts with ${showBytes(head.subarray(0, 4))}, not with "GGUF"`;
  if (head.length < PREFIX_BYTES) return `has ${sizeBytes} bytes, less than a GGUF header`;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  // Versions are small, so the half that is zero tells the order of the bytes.
  const littleEndian = view.getUint16(4, true) !== 0;
  const version = view.getUint32(4, littleEndian);
  if (version === 0) return 'has GGUF version 0, which there never was';
  const layout = VERSIONS[version];
  if (layout === undefined) return undefined;
  const { countBytes, leastTensorBytes, leastPairBytes } = layout;
  if (head.length < PREFIX_BYTES + 2 * countBytes) return `has ${sizeBytes} bytes, less than a GGUF header`;
  const count = (at: number): number =>
    countBytes === 4 ? view.getUint32(at, littleEndian) : Number(view.getBigUint64(at, littleEndian));
  const [tensors, pairs] = [count(PREFIX_BYTES), count(PREFIX_BYTES + countBytes)];
  if (tensors * leastTensorBytes + pairs * leastPairBytes > sizeBytes)
    return `promises ${tensors} tensors and ${pairs} keys, more than ${sizeBytes} bytes can hold`;
  return undefined;
}
