import type { Database } from './connect.ts';

/**
 * Runs the work only while no other process does, guarded by an advisory lock that dies with its transaction. The
 * transaction holds a session for the lock alone and reads nothing, so that it does not hold back vacuum; a lock of the
 * session would stay with a pooler such as PgBouncer.
 *
 * @param name of the work, such as `reconciler`
 * @returns the result, or undefined when another process holds the lock
 */
export async function runAsLeader<T>(
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
