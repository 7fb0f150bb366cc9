import { LiveChanges } from '#contracts/live';
import { parseJson } from '#core/text/parse-json';

/** The changes of an entry, as JSON. */
export const CHANGES_FIELD = 'changes';

/** Entries of the stream that are kept: the window in which a client may resume. At ten a second some three minutes. */
export const LIVE_ENTRIES_KEPT = 2000;

/** An entry of the stream. */
export interface LiveEntry {
  /** Grows from entry to entry: milliseconds and a number. */
  readonly id: string;
  readonly changes: LiveChanges;
}

/** @returns the entries of an XREAD or XRANGE reply; what is no entry of ours counts as "read again" */
export const entriesOf = (reply: readonly (readonly [id: string, fields: readonly string[]])[]): LiveEntry[] =>
  reply.map(([id, fields]) => {
    const { data } = LiveChanges.safeParse(parseJson(fields[fields.indexOf(CHANGES_FIELD) + 1] ?? ''));
    return { id, changes: data ?? { reread: 'an entry could not be read' } };
  });
