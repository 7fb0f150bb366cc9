import type pg from 'pg';
import type { Database } from './connect.ts';

/** SQLSTATE of "try the whole transaction again": serialization failure, deadlock. */
const RETRYABLE = new Set(['40001', '40P01']);
const MAX_RUNS = 5;

/** SQLSTATE of an error of the database, or undefined for any other error. */
export const sqlStateOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/**
 * Runs the work in one transaction and, after a deadlock or a serialization failure, again: at most 5 times.
 * The work must therefore have no effect outside the database.
 */
export async function inTransaction<T>(database: Database, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  for (let run = 1; ; run += 1) {
    try {
      return await once(database, work);
    } catch (error) {
      if (run >= MAX_RUNS || !RETRYABLE.has(sqlStateOf(error) ?? '')) throw error;
    }
  }
}

async function once<T>(database: Database, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await database.pool.connect();
  let broken = false;
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {
      broken = true;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}
