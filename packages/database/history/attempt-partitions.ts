import { DAY_MS } from '#core/units';
import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';

/** @returns the UTC day of a moment, such as `2026-11-21` */
const dayOf = (at: Date): string => at.toISOString().slice(0, 10);
const tableOf = (day: string): string => `attempts_${day.replaceAll('-', '')}`;

const DAYS_AHEAD = 3;
const LOCK_TIMEOUT_MS = 3_000;

/**
 * Makes the partitions of today and the next three days. Call it at start and every hour; several processes at
 * once are fine. Rows that came while their day had none wait in the default partition and are moved (J07).
 *
 * @returns the days that were made
 */
export async function ensureAttemptPartitions(database: Database, now: Date): Promise<string[]> {
  const made: string[] = [];
  for (let ahead = 0; ahead <= DAYS_AHEAD; ahead += 1) {
    const start = new Date(now.getTime() + ahead * DAY_MS);
    if (await makePartition(database, dayOf(start), dayOf(new Date(start.getTime() + DAY_MS)))) made.push(dayOf(start));
  }
  return made;
}

/** Attached only after its rows moved over: a partition may not overlap with what the default one holds. */
async function makePartition(database: Database, day: string, nextDay: string): Promise<boolean> {
  const table = tableOf(day);
  if (await exists(database, table)) return false;
  return inTransaction(database, async (client) => {
    await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await client.query('LOCK TABLE attempts IN SHARE ROW EXCLUSIVE MODE');
    if ((await client.query('SELECT 1 WHERE to_regclass($1) IS NOT NULL', [table])).rowCount) return false;
    await client.query(`CREATE TABLE ${table} (LIKE attempts INCLUDING ALL)`);
    await client.query(
      `WITH moved AS (DELETE FROM attempts_default WHERE day = '${day}' RETURNING *) INSERT INTO ${table} SELECT * FROM moved`,
    );
    await client.query(`ALTER TABLE attempts ATTACH PARTITION ${table} FOR VALUES FROM ('${day}') TO ('${nextDay}')`);
    return true;
  });
}

async function exists(database: Database, table: string): Promise<boolean> {
  const { rowCount } = await database.pool.query('SELECT 1 WHERE to_regclass($1) IS NOT NULL', [table]);
  return rowCount === 1;
}

/**
 * Forgets the history before the given day (UTC): whole partitions, and stray rows of the default one.
 *
 * @returns the days whose partitions were dropped
 */
export async function dropAttemptPartitions(database: Database, olderThan: Date): Promise<string[]> {
  const limit = dayOf(olderThan);
  const old = (await partitionDays(database)).filter((day) => day < limit);
  for (const day of old)
    await inTransaction(database, async (client) => {
      await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
      await client.query(`DROP TABLE IF EXISTS ${tableOf(day)}`);
    });
  await database.pool.query('DELETE FROM attempts_default WHERE day < $1::date', [limit]);
  return old;
}

/** @returns the days that have a partition, oldest first */
export async function partitionDays(database: Database): Promise<string[]> {
  const sql = `SELECT to_char(to_date(right(c.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') AS day
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'attempts'::regclass AND c.relname ~ '^attempts_[0-9]{8}$' ORDER BY 1`;
  return (await database.pool.query<{ day: string }>(sql)).rows.map(({ day }) => day);
}
