import { parseKnown } from '#contracts/worker/parse-known';
import { EventBatch } from '#contracts/worker/worker-events';
import { parseJson } from '#core/text/parse-json';

/** The one field of an entry. */
export const BATCH_FIELD = 'batch';

/** Entries kept, read or not: at one batch per second, 100 busy workers fill a quarter of an hour. */
export const DEFAULT_MAX_ENTRIES = 100_000;

/** @returns the batch of an entry's fields, or why it is none */
export function readEntry(fields: readonly string[]): { batch: EventBatch } | { poison: string } {
  const at = fields.indexOf(BATCH_FIELD);
  const json = at === -1 ? undefined : fields[at + 1];
  if (json === undefined) return { poison: `the entry has no field "${BATCH_FIELD}"` };
  const { parsed } = parseKnown(EventBatch, parseJson(json));
  if (parsed.success) return { batch: parsed.data };
  const [issue] = parsed.error.issues;
  return { poison: `${issue?.path.map(String).join('.') || 'batch'}: ${issue?.message}` };
}
