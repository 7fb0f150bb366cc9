import { z } from 'zod';
import { MINUTE_MS, parseDuration } from '#core/units';
import { parsedBy } from '../parsed-by.ts';

const MAX_WAIT_MS = MINUTE_MS;

/** Longest wait of a long-poll: `55s`, `500ms`, `1m`. Below the 60 s after which many proxies close the connection. */
export const Wait = parsedBy(z.string().max(20), parseWait).describe(
  'how long the answer may take while nothing changes: `55s`; at most `60s`',
);

function parseWait(text: string): number {
  const ms = parseDuration(text);
  if (ms <= MAX_WAIT_MS) return ms;
  throw new RangeError(`"${text}" is longer than 60s; ask again afterwards`);
}

export const Limit = z.coerce
  .number('a limit is a whole number')
  .int('a limit is a whole number')
  .min(1, 'a limit is 1 to 500')
  .max(500, 'a limit is 1 to 500')
  .default(50)
  .describe('items on one page');

export const Cursor = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[A-Za-z0-9_-]+$/, 'a cursor is copied unchanged from the `nextCursor` of a page')
  .describe('the `nextCursor` of the page before');

export const NextCursor = z.string().nullable().describe('null on the last page');

/** What asks for a page of a list. */
export const Page = { cursor: Cursor.optional(), limit: Limit };

/**
 * A page of a list: the items under their name, and where the next page begins.
 *
 * @param id of the schema in the OpenAPI document
 */
export const pageOf = <Name extends string, Item extends z.ZodType>(id: string, name: Name, item: Item) => {
  const shape = { [name]: z.array(item), nextCursor: NextCursor };
  return z.strictObject(shape as Record<Name, z.ZodArray<Item>> & { nextCursor: typeof NextCursor }).meta({ id });
};

export const DryRunQuery = z.strictObject({
  dryRun: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .describe('answers what would happen, and changes nothing'),
});

/** A time on the API's clock, ISO 8601 in UTC. */
export const Moment = z.iso.datetime();

export const Count = z.number().int().min(0);
