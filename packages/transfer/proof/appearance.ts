import type { DigestedFile } from '#content/digest/file-digester';
import { disguiseOf, TELLING_BYTES } from '#core/bytes/first-bytes';
import type { Logger } from '#core/logger';
import type { ResponseHead } from '#core/source';
import { readFully } from '../disk/file-operations.ts';
import type { Partial } from '../disk/partial.ts';
import type { SourceState } from '../run/source-state.ts';

/**
 * Describes what a file with the wrong digest looks like, for the error message.
 *
 * @returns '' or clauses that begin with a semicolon
 */
export async function appearanceOf(
  { file }: Partial,
  { sizeBytes }: DigestedFile,
  states: readonly SourceState[],
): Promise<string> {
  const first = Buffer.alloc(Math.min(TELLING_BYTES, sizeBytes));
  const count = await readFully(file, first, 0);
  const disguise = disguiseOf(first.subarray(0, count));
  const senders = states.filter(({ committedBytes }) => committedBytes > 0);
  const encodings = new Set(senders.flatMap(({ encoding }) => encoding ?? []));
  const clauses = [
    ...(disguise === undefined ? [] : [`; it looks like ${disguise}`]),
    ...[...encodings].map((encoding) => `; it was sent as ${encoding} although identity was asked`),
  ];
  return clauses.join('');
}

/** Records the content coding that a source names; for unproven bytes, logs once that they are not decoded. */
export function noteEncoding(
  state: SourceState,
  { encoding }: ResponseHead,
  isProvable: boolean,
  logger: Logger,
): void {
  const isNew = encoding !== undefined && encoding !== state.encoding;
  state.encoding = encoding;
  if (!isNew || isProvable) return;
  logger.warn({ source: state.source.name, encoding }, 'unproven bytes are kept as they were sent, not decoded');
}
