import type { FastifyReply } from 'fastify';
import { SECOND_MS } from '#core/units';
import type { Database } from '#database/sql/connect';
import type { Dependencies } from '../../dependencies.ts';

/** Seconds that a list may be behind; only where it comes from a replica. */
const AGE_HEADER = 'haulier-data-age';

/** For the description of every operation that reads a list. */
export const MAY_BE_OLD =
  'With a read replica the answer may be some seconds old: the header `haulier-data-age` says how many at most.';

/**
 * Reads a list from the replica where there is one, and says how old it may be; from the database itself where the replica
 * is away, too old, or fails in the middle.
 */
export async function readList<List>(
  { database, lists, log }: Pick<Dependencies, 'database' | 'lists' | 'log'>,
  reply: Pick<FastifyReply, 'header'>,
  read: (from: Database) => Promise<List>,
): Promise<List> {
  const source = await lists.source();
  if (source.ageMs === undefined) return read(database);
  try {
    const list = await read(source.database);
    reply.header(AGE_HEADER, String(Math.ceil(source.ageMs / SECOND_MS)));
    return list;
  } catch (err) {
    // What is wrong with the request is wrong there, too; a replica may also lack a table of the latest migration.
    log.debug({ err }, 'the read replica failed: reading the database itself');
    return read(database);
  }
}
