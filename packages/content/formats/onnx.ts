import type { ReadAt } from './read-at.ts';
import { showBytes } from './magic.ts';

/** A tag and the varint behind it. */
const FIELD_HEADER_BYTES = 20;
const MAX_VARINT_BYTES = 10;
/** More fields are not looked at: what lies behind them is left to the digests. */
const MAX_FIELDS = 100_000;
const MAX_FIELD_NUMBER = 2 ** 29 - 1;
const MAX_GROUP_DEPTH = 100;

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const GROUP_START = 3;
const GROUP_END = 4;
const FIXED_32 = 5;

const IR_VERSION = 1;
const GRAPH = 7;
const FUNCTIONS = 25;

/** Fields of ModelProto and the wire type each must have; others are of a newer version and are passed over. */
const MODEL_FIELDS: ReadonlyMap<number, number> = new Map([
  [IR_VERSION, VARINT],
  [2, LENGTH_DELIMITED],
  [3, LENGTH_DELIMITED],
  [4, LENGTH_DELIMITED],
  [5, VARINT],
  [6, LENGTH_DELIMITED],
  [GRAPH, LENGTH_DELIMITED],
  [8, LENGTH_DELIMITED],
  [14, LENGTH_DELIMITED],
  [20, LENGTH_DELIMITED],
  [FUNCTIONS, LENGTH_DELIMITED],
  [26, LENGTH_DELIMITED],
]);

/**
 * Walks the top-level fields of the protobuf by their lengths: sound wire types, an IR version, a graph, and an end exactly at the
 * end of the file. Tensors are never read. Unknown fields are passed over, as every reader of protobuf does.
 *
 * @returns why the file cannot be an ONNX model
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, ModelProto
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export async function onnxProblem(readAt: ReadAt, sizeBytes: number): Promise<string | undefined> {
  const seen = new Set<number>();
  const groups: number[] = [];
  let position = 0;
  for (let fields = 0; position < sizeBytes; fields += 1) {
    if (fields === MAX_FIELDS) return undefined;
    const head = await readAt(position, FIELD_HEADER_BYTES);
    const field = readField(head);
    if (field === undefined || !isInPlace(field, groups)) {
      if (position === 0) return `starts with ${showBytes(head.subarray(0, 8))}, which no ONNX model does`;
      return `has no field of an ONNX model at byte ${position}`;
    }
    if (groups.length === 0) seen.add(field.number);
    position += field.sizeBytes;
  }
  if (position !== sizeBytes) return `ends ${position - sizeBytes} bytes before its last field does`;
  if (groups.length > 0) return 'ends inside a group of fields';
  if (!seen.has(IR_VERSION)) return 'has no IR version';
  return seen.has(GRAPH) || seen.has(FUNCTIONS) ? undefined : 'has no graph';
}

interface Field {
  readonly number: number;
  readonly wireType: number;
  /** Of tag and value together; of the tag alone for the beginning and the end of a group. */
  readonly sizeBytes: number;
}

/** Fields inside groups are none of ModelProto. Keeps the numbers of the open groups. */
function isInPlace({ number, wireType }: Field, groups: number[]): boolean {
  if (wireType === GROUP_END) return groups.pop() === number;
  if (groups.length === 0 && MODEL_FIELDS.has(number)) return MODEL_FIELDS.get(number) === wireType;
  if (wireType === GROUP_START) groups.push(number);
  return groups.length <= MAX_GROUP_DEPTH;
}

function readField(bytes: Uint8Array): Field | undefined {
  const tag = readVarint(bytes, 0);
  if (tag === undefined) return undefined;
  const number = Math.floor(tag.value / 8);
  if (number < 1 || number > MAX_FIELD_NUMBER) return undefined;
  const wireType = tag.value % 8;
  const valueBytes = valueBytesOf(wireType, bytes, tag.end);
  return valueBytes === undefined ? undefined : { number, wireType, sizeBytes: tag.end + valueBytes };
}

function valueBytesOf(wireType: number, bytes: Uint8Array, start: number): number | undefined {
  if (wireType === FIXED_64) return 8;
  if (wireType === FIXED_32) return 4;
  if (wireType === GROUP_START || wireType === GROUP_END) return 0;
  if (wireType !== VARINT && wireType !== LENGTH_DELIMITED) return undefined;
  const varint = readVarint(bytes, start);
  if (varint === undefined) return undefined;
  return varint.end - start + (wireType === LENGTH_DELIMITED ? varint.value : 0);
}

/** The value is exact up to 2^53, which is enough for tags and lengths. A negative int64 takes all ten bytes. */
function readVarint(bytes: Uint8Array, start: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let index = 0; index < MAX_VARINT_BYTES; index += 1) {
    const byte = bytes[start + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, end: start + index + 1 };
  }
  return undefined;
}
