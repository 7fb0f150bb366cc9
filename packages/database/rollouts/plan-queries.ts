import type { RolloutModel } from '#core/rollout/rollout-spec';
import type { Database } from '../sql/connect.ts';
import type { Client } from './moves.ts';
import { FINAL_HOST_LIST, OPEN_ROLLOUT_STATES } from './state-sql.ts';

/** @returns bytes of these models that are recorded as complete, by host; hosts without any are left out */
export async function presentBytes(
  { pool }: { readonly pool: Client },
  models: readonly RolloutModel[],
  hosts: readonly string[],
): Promise<Map<string, number>> {
  // Host by host: in one join, PostgreSQL would read all downloads.
  const sql = `SELECT h.host, sum(f.bytes)::bigint AS bytes
    FROM unnest($1::text[], $2::text[]) AS m (name, version) CROSS JOIN unnest($3::text[]) AS h (host) CROSS JOIN LATERAL (
      SELECT DISTINCT ON (d.path) d.status, coalesce(d.total_bytes, 0) AS bytes FROM downloads d
      WHERE d.model = m.name AND d.version = m.version AND d.host = h.host ORDER BY d.path, d.created_at DESC, d.id DESC
    ) f WHERE f.status = 'success' GROUP BY h.host`;
  const parameters = [models.map(({ name }) => name), models.map(({ version }) => version), hosts];
  const { rows } = await pool.query<{ host: string; bytes: number }>(sql, parameters);
  return new Map(rows.map(({ host, bytes }) => [host, bytes]));
}

/** @returns bytes per second of a download of the last day, on average; undefined when none fetched bytes */
export async function usualRate(database: Database, now: Date): Promise<number | undefined> {
  const sql = `SELECT sum(d.total_bytes - d.resumed_bytes)::float8
      / nullif(sum(extract(epoch FROM d.completed_at - d.started_at))::float8, 0) AS rate
    FROM downloads d WHERE d.completed_at > $1::timestamptz - interval '1 day' AND d.status = 'success'
      AND d.outcome <> 'cache_hit' AND d.completed_at > d.started_at`;
  const rate = (await database.pool.query<{ rate: number | null }>(sql, [now])).rows[0]?.rate ?? 0;
  return rate > 0 ? rate : undefined;
}

/** @returns rollouts that go on, without a verdict or because they hold, and bring one of these models to one of these hosts */
export async function olderRollouts(
  database: Database,
  models: readonly RolloutModel[],
  hosts: readonly string[],
): Promise<string[]> {
  const sql = `SELECT r.id FROM rollouts r WHERE (r.state IN (${OPEN_ROLLOUT_STATES}) OR r.is_holding)
    AND EXISTS (SELECT 1 FROM jsonb_array_elements(r.models) m WHERE m->>'name' = ANY($1::text[]))
    AND EXISTS (SELECT 1 FROM rollout_hosts h WHERE h.rollout_id = r.id AND h.host = ANY($2::text[])
      AND h.state NOT IN (${FINAL_HOST_LIST}))
    ORDER BY r.created_at`;
  const parameters = [models.map(({ name }) => name), hosts];
  return (await database.pool.query<{ id: string }>(sql, parameters)).rows.map(({ id }) => id);
}
