import type { ReadAt } from './read-at.ts';
import { showBytes } from './magic.ts';

const KNOWN_VERSIONS = new Set([1, 2, 3]);
/** Least bytes that one tensor info and one key-value pair take: length, type, value. */
const LEAST_TENSOR_BYTES = 24;
const LEAST_PAIR_BYTES = 13;

/**
 * @returns why the header cannot be GGUF
 * @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md: magic, u32 version, tensor count, key-value count
 */
export async function ggufProblem(readAt: ReadAt, sizeBytes: number): Promise<string | undefined> {
  const head = await readAt(0, 24);
  if (head.length < 4 || String.fromCharCode(...head.subarray(0, 4)) !== 'GGUF')
    return `starts with ${showBytes(head.subarray(0, 4))}, not with "GGUF"`;
  if (head.length < 24) return `has ${sizeBytes} bytes, less than a GGUF header`;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const littleEndian = KNOWN_VERSIONS.has(view.getUint32(4, true));
  if (!littleEndian && !KNOWN_VERSIONS.has(view.getUint32(4, false)))
    return `has GGUF version ${view.getUint32(4, true)}; versions 1 to 3 are known`;
  const narrow = view.getUint32(4, littleEndian) === 1;
  const count = (at: number): number =>
    narrow ? view.getUint32(at, littleEndian) : Number(view.getBigUint64(at, littleEndian));
  const [tensors, pairs] = [count(8), count(narrow ? 12 : 16)];
  if (tensors * LEAST_TENSOR_BYTES + pairs * LEAST_PAIR_BYTES > sizeBytes)
    return `promises ${tensors} tensors and ${pairs} keys, more than ${sizeBytes} bytes can hold`;
  return undefined;
}
