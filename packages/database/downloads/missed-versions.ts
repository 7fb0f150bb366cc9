import type { Database } from '../sql/connect.ts';
import type { ReplacedJob } from './requeue-siblings.ts';
import { NOT_LOST_SQL, nextStatusSql } from './status-sql.ts';

/**
 * Cancels downloads that a host which is away never began, where a later request wants another version of the model there: the host gets
 * what is wanted when it is back, not every version that it missed.
 *
 * @param awaySince hosts that were not heard of since this moment are away
 * @returns the cancelled ones: their jobs are to be taken out of their queues
 */
export async function cancelMissedVersions(database: Database, awaySince: Date, now: Date): Promise<ReplacedJob[]> {
  const asked = (row: string): string => `coalesce(${row}.asked_at, ${row}.created_at)`;
  const sql = `UPDATE downloads d SET status = ${nextStatusSql('cancel')}, ${NOT_LOST_SQL}, retry_at = NULL,
      reason = 'version ' || n.version || ' was asked for while the host was away', completed_at = $2, updated_at = $2
    FROM (
      SELECT o.id, l.version FROM hosts h
      JOIN downloads o ON o.host = h.name AND o.status = 'pending' AND o.attempts = 0
      JOIN LATERAL (
        SELECT l.version FROM downloads l
        WHERE l.host = o.host AND l.model = o.model AND l.version <> o.version AND l.status <> 'cancelled'
          AND ${asked('l')} > ${asked('o')}
        ORDER BY ${asked('l')} DESC LIMIT 1
      ) l ON true
      WHERE h.last_seen_at < $1
    ) n
    WHERE d.id = n.id AND d.status = 'pending' AND d.attempts = 0
    RETURNING d.id, d.host, d.generation`;
  return (await database.pool.query<ReplacedJob>(sql, [awaySince, now])).rows;
}
