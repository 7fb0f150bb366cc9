import { DAY_MS } from '#core/units';
import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';

/** @returns the UTC day of a moment, such as `2026-11-21` */
const dayOf = (at: Date): string => at.toISOString().slice(0, 10);

/** The prefix that programs of the release before look for; the contract of `prisma/next-release` renames the partitions. */
const tableOf = (day: string): string => `attempts_${day.replaceAll('-', '')}`;

/** One day more than the release before makes, so that its programs find each partition made: they cannot attach one. */
const DAYS_AHEAD = 4;
const LOCK_TIMEOUT_MS = 3_000;

/** A daily partition of `tries`. */
interface TryPartition {
  readonly table: string;
  readonly day: string;
}

/**
 * Makes the partitions of today and of the next four days. Call it at start and every hour; several processes at once are
 * fine. Rows of a day without a partition wait in the default partition and are moved.
 *
 * @returns the days that were made
 */
export async function ensureTryPartitions(database: Database, now: Date): Promise<string[]> {
  const existing = new Set((await partitionsOf(database.pool)).map(({ day }) => day));
  const made: string[] = [];
  for (let ahead = 0; ahead <= DAYS_AHEAD; ahead += 1) {
    const start = new Date(now.getTime() + ahead * DAY_MS);
    const day = dayOf(start);
    const nextDay = dayOf(new Date(start.getTime() + DAY_MS));
    if (!existing.has(day) && (await makePartition(database, day, nextDay))) made.push(day);
  }
  return made;
}

/** Attached only after its rows moved over: a partition may not overlap with what the default partition holds. */
async function makePartition(database: Database, day: string, nextDay: string): Promise<boolean> {
  const table = tableOf(day);
  return inTransaction(database, async (client) => {
    await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await client.query('LOCK TABLE tries IN SHARE ROW EXCLUSIVE MODE');
    if ((await partitionsOf(client)).some((partition) => partition.day === day)) return false;
    await client.query(`CREATE TABLE ${table} (LIKE tries INCLUDING ALL)`);
    await client.query(
      `WITH moved AS (DELETE FROM tries WHERE day = '${day}' RETURNING *) INSERT INTO ${table} SELECT * FROM moved`,
    );
    await client.query(`ALTER TABLE tries ATTACH PARTITION ${table} FOR VALUES FROM ('${day}') TO ('${nextDay}')`);
    return true;
  });
}

/**
 * Deletes the history before the given day (UTC): whole partitions, and stray rows of the default one.
 *
 * @returns the days whose partitions were dropped
 */
export async function dropTryPartitions(database: Database, olderThan: Date): Promise<string[]> {
  const limit = dayOf(olderThan);
  const old = (await partitionsOf(database.pool)).filter(({ day }) => day < limit);
  for (const { table } of old)
    await inTransaction(database, async (client) => {
      await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
      await client.query(`DROP TABLE IF EXISTS ${table}`);
    });
  await database.pool.query('DELETE FROM tries WHERE day < $1::date', [limit]);
  return old.map(({ day }) => day);
}

/** @returns the daily partitions, oldest first, whichever prefix they have */
async function partitionsOf(connection: Pick<Database['pool'], 'query'>): Promise<TryPartition[]> {
  const sql = `SELECT c.relname AS table, to_char(to_date(right(c.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') AS day
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'tries'::regclass AND c.relname ~ '_[0-9]{8}$' ORDER BY 2`;
  return (await connection.query<TryPartition>(sql)).rows;
}

/** Deletes roll-ups, samples of the queue, and sources that were last tried, before the given moment. */
export async function dropRollUps(database: Database, olderThan: Date): Promise<void> {
  for (const [table, column] of [
    ...(['try_hours', 'try_days', 'download_hours'] as const).map((table) => [table, 'slot'] as const),
    ['queue_samples', 'at'] as const,
  ])
    await database.pool.query(`DELETE FROM ${table} WHERE ${column} < $1`, [olderThan]);
  await database.pool.query('DELETE FROM sources_tried WHERE greatest(last_success_at, last_failure_at) < $1', [
    olderThan,
  ]);
}
