import type { DigestedFile } from '#content/digest/file-digester';
import { disguiseOf, TELLING_BYTES } from '#core/first-bytes';
import type { Logger } from '#core/logger';
import type { ResponseHead } from '#core/source';
import { readFully } from '../disk/file-operations.ts';
import type { Partial } from '../disk/partial.ts';
import type { SourceState } from '../run/source-state.ts';

/**
 * What a file that has the wrong digest looks like, for the message.
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

/** Remembers the content coding that a source names; says once that bytes which nothing proves are kept as they came. */
export function noteEncoding(
  state: SourceState,
  { encoding }: ResponseHead,
  isProvable: boolean,
  logger: Logger,
): void {
  const isNew = encoding !== undefined && encoding !== state.encoding;
  state.encoding = encoding;
  if (!isNew || isProvable) return;
  logger.warn({ source: state.source.name, encoding }, 'unproven bytes are kept as they came, not decoded');
}
