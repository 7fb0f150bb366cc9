import type { ReadAt } from './read-at.ts';
import { showBytes } from './magic.ts';

/** Longer than every field header of a model together: the graph's content is skipped, not read. */
const FIELD_HEADER_BYTES = 20;
const MAX_FIELDS = 100_000;

/** Fields of ModelProto and the wire type each must have. */
const MODEL_FIELDS: ReadonlyMap<number, number> = new Map([
  [1, 0],
  [2, 2],
  [3, 2],
  [4, 2],
  [5, 0],
  [6, 2],
  [7, 2],
  [8, 2],
  [14, 2],
  [20, 2],
  [25, 2],
  [26, 2],
]);
const IR_VERSION = 1;
const GRAPH = 7;
const MAX_IR_VERSION = 1000;

/**
 * Walks the top-level fields of the protobuf by their lengths: known field numbers with their wire types, an IR version, a
 * graph, and an end exactly at the end of the file. Tensors are never read.
 *
 * @returns why the file cannot be an ONNX model
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, ModelProto
 */
export async function onnxProblem(readAt: ReadAt, sizeBytes: number): Promise<string | undefined> {
  let position = 0;
  const seen = new Set<number>();
  for (let fields = 0; position < sizeBytes; fields += 1) {
    if (fields === MAX_FIELDS) return `has more than ${MAX_FIELDS} fields at the top`;
    const head = await readAt(position, FIELD_HEADER_BYTES);
    const field = readField(head);
    if (field === undefined || MODEL_FIELDS.get(field.number) !== field.wireType)
      return position === 0
        ? `starts with ${showBytes(head.subarray(0, 8))}, which no ONNX model does`
        : `has no field of an ONNX model at byte ${position}`;
    if (field.number === IR_VERSION && field.value > MAX_IR_VERSION) return `has IR version ${field.value}`;
    seen.add(field.number);
    position += field.headerBytes + (field.wireType === 2 ? field.value : 0);
  }
  if (position !== sizeBytes) return `ends ${position - sizeBytes} bytes before its last field does`;
  if (!seen.has(IR_VERSION) || !seen.has(GRAPH)) return 'has no IR version or no graph';
  return undefined;
}

interface Field {
  readonly number: number;
  readonly wireType: number;
  /** The number, or the length of what follows. */
  readonly value: number;
  readonly headerBytes: number;
}

function readField(bytes: Uint8Array): Field | undefined {
  const tag = readVarint(bytes, 0);
  if (tag === undefined) return undefined;
  const value = readVarint(bytes, tag.end);
  if (value === undefined) return undefined;
  return { number: Math.floor(tag.value / 8), wireType: tag.value % 8, value: value.value, headerBytes: value.end };
}

function readVarint(bytes: Uint8Array, start: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let index = 0; index < 10; index += 1) {
    const byte = bytes[start + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return Number.isSafeInteger(value) ? { value, end: start + index + 1 } : undefined;
  }
  return undefined;
}
