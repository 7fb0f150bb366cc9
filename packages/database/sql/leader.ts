import type { Database } from './connect.ts';

/**
 * Runs the work only while no other process does, guarded by an advisory lock that dies with its connection.
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
    const { rows } = await client.query<{ won: boolean }>(
      'SELECT pg_try_advisory_lock(hashtext($1), hashtext($2)) AS won',
      ['haulier', name],
    );
    if (!rows[0]?.won) return undefined;
    try {
      return { result: await work() };
    } finally {
      await client.query('SELECT pg_advisory_unlock(hashtext($1), hashtext($2))', ['haulier', name]).catch(() => {
        broken = true;
      });
    }
  } finally {
    client.release(broken);
  }
}
