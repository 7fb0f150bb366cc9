import { DAY_MS } from '#core/units';
import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';

/** A day of the audit that was dropped. */
export interface DroppedDay {
  /** UTC, such as `2026-11-21`. */
  readonly day: string;
  readonly rows: number;
}

/** Rows are numbered about in the order of their times: clocks of API processes differ. */
const LOOKED_AT = 1000;

const startOfDay = (at: Date): number => Math.floor(at.getTime() / DAY_MS) * DAY_MS;

/**
 * Deletes the oldest day (UTC) of the audit, when all of it is older than the limit. The table refuses every other deletion: its trigger
 * lets rows go that are older than what this transaction names.
 *
 * @returns undefined when nothing is old enough
 */
export async function dropAuditDay(database: Database, olderThan: Date): Promise<DroppedDay | undefined> {
  const sql = `SELECT min(a.at) AS at FROM (SELECT at FROM audit ORDER BY sequence LIMIT ${LOOKED_AT}) a`;
  const first = (await database.pool.query<{ at: Date | null }>(sql)).rows[0]!.at;
  if (first === null) return undefined;
  const start = startOfDay(first);
  const end = new Date(start + DAY_MS);
  if (end.getTime() > startOfDay(olderThan)) return undefined;
  return inTransaction(database, async (client) => {
    await client.query(`SELECT set_config('haulier.audit_kept_since', $1, true)`, [end.toISOString()]);
    const { rowCount } = await client.query('DELETE FROM audit WHERE at < $1', [end]);
    return { day: new Date(start).toISOString().slice(0, 10), rows: rowCount ?? 0 };
  });
}
