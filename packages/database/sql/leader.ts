import type { Database } from './connect.ts';

/** The last work of each process that is or wants to be a leader. */
const turns = new WeakMap<Database, Promise<unknown>>();

/**
 * Runs the work only while no other process does, guarded by an advisory lock that dies with its transaction. The
 * transaction holds a session for the lock alone and reads nothing, so that it does not hold back vacuum; a lock of the
 * session would stay with a pooler such as PgBouncer. Work of one process takes turns: while it waits for a session of its own,
 * locks must not hold all sessions of a small pool. So work may not ask for another lead with the same database.
 *
 * @param name of the work, such as `reconciler`
 * @returns the result, or undefined when another process holds the lock
 */
export function runAsLeader<T>(
  database: Database,
  name: string,
  work: () => Promise<T>,
): Promise<{ result: T } | undefined> {
  const before = turns.get(database) ?? Promise.resolve();
  const lead = before.then(() => leadAlone(database, name, work));
  turns.set(
    database,
    lead.catch(() => undefined),
  );
  return lead;
}

async function leadAlone<T>(
  database: Database,
  name: string,
  work: () => Promise<T>,
): Promise<{ result: T } | undefined> {
  const client = await database.pool.connect();
  let broken = false;
  try {
    await client.query('BEGIN');
    const sql = 'SELECT pg_try_advisory_xact_lock(hashtext($1), hashtext($2)) AS won';
    const { rows } = await client.query<{ won: boolean }>(sql, ['haulier', name]);
    return rows[0]?.won ? { result: await work() } : undefined;
  } finally {
    await client.query('COMMIT').catch(() => {
      broken = true;
    });
    client.release(broken);
  }
}
