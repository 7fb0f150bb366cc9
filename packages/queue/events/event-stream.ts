import { parseKnown } from '#contracts/worker/parse-known';
import { EventBatch } from '#contracts/worker/worker-events';
import { parseJson } from '#core/text/parse-json';

/** The stream that workers append to and recorders read. */
export const eventStreamKey = (prefix: string): string => `${prefix}:events`;

/** Batches that no recorder could take, for people to look at; short. */
export const deadEventsKey = (prefix: string): string => `${prefix}:events-dead`;

/** The text of a batch. */
export const BATCH_FIELD = 'batch';
/** Of an enrolled host, over the text. */
export const SIGNATURE_FIELD = 'signature';

/** Entries kept, read or not: at one batch per second, 100 busy workers fill a quarter of an hour. */
export const DEFAULT_MAX_ENTRIES = 100_000;

/** A batch as it stood on the stream. */
export interface ReceivedBatch {
  readonly batch: EventBatch;
  /** What the signature is over. */
  readonly text: string;
  readonly signature: string | undefined;
  /** This entry was read before: its reader ended or failed. */
  readonly isReadAgain: boolean;
}

/** @returns the batch of an entry's fields, or why it is none */
export function readEntry(
  fields: readonly string[],
  isReadAgain: boolean,
): { received: ReceivedBatch } | { poison: string } {
  const text = fieldOf(fields, BATCH_FIELD);
  if (text === undefined) return { poison: `the entry has no field "${BATCH_FIELD}"` };
  const { parsed } = parseKnown(EventBatch, parseJson(text));
  const signature = fieldOf(fields, SIGNATURE_FIELD);
  if (parsed.success) return { received: { batch: parsed.data, text, signature, isReadAgain } };
  const [issue] = parsed.error.issues;
  return { poison: `${issue?.path.map(String).join('.') || 'batch'}: ${issue?.message}` };
}

/** Names stand at even places. */
function fieldOf(fields: readonly string[], name: string): string | undefined {
  const at = fields.findIndex((field, place) => place % 2 === 0 && field === name);
  return at === -1 ? undefined : fields[at + 1];
}
