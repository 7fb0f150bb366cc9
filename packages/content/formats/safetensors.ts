import { parseJson } from '#core/text/parse-json';
import type { ReadAt } from './read-at.ts';

const LENGTH_BYTES = 8;
/** The limit of the reference implementation. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * @returns why the header cannot be safetensors: u64 header length, JSON object, data offsets that fill the rest without gaps
 * @see https://github.com/huggingface/safetensors#format
 */
export async function safetensorsProblem(readAt: ReadAt, sizeBytes: number): Promise<string | undefined> {
  const prefix = await readAt(0, LENGTH_BYTES);
  if (prefix.length < LENGTH_BYTES) return `has ${sizeBytes} bytes, less than a safetensors header`;
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES || length + LENGTH_BYTES > sizeBytes)
    return `promises a header of ${length} bytes in a file of ${sizeBytes}`;
  const text = new TextDecoder().decode(await readAt(LENGTH_BYTES, length));
  if (!text.startsWith('{')) return 'has a header that does not start with "{"';
  const header = parseJson(text);
  // A text that begins with "{" is an object, or no JSON at all.
  if (header === undefined) return 'has a header that is not a JSON object';
  return offsetsProblem(header as Record<string, unknown>, sizeBytes - LENGTH_BYTES - length);
}

function offsetsProblem(header: Record<string, unknown>, dataBytes: number): string | undefined {
  const spans: [number, number][] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const span = spanOf(value);
    if (span === undefined) return `has a tensor ${JSON.stringify(name.slice(0, 60))} without valid data_offsets`;
    spans.push(span);
  }
  spans.sort(([a, aEnd], [b, bEnd]) => a - b || aEnd - bEnd);
  let end = 0;
  for (const [start, next] of spans) {
    if (start !== end) return `has tensors that overlap or leave a gap at byte ${end} of the data`;
    end = next;
  }
  return end === dataBytes ? undefined : `has ${dataBytes} bytes of data where its header describes ${end}`;
}

function spanOf(value: unknown): [number, number] | undefined {
  const offsets = (value as { data_offsets?: unknown } | null)?.data_offsets;
  if (!Array.isArray(offsets) || offsets.length !== 2) return undefined;
  const [start, end] = offsets as [unknown, unknown];
  const sound = Number.isSafeInteger(start) && Number.isSafeInteger(end) && (start as number) >= 0;
  return sound && (end as number) >= (start as number) ? [start as number, end as number] : undefined;
}
