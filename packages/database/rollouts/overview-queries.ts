import type { LayerName } from '#core/layer';
import type { RolloutHostState } from '#core/rollout/host-state';
import type { Database } from '../sql/connect.ts';
import { shownHostSql } from '../hosts/shown-host-sql.ts';

/** Every host of a rollout, by name. */
export async function rolloutHostStates(
  { pool }: Database,
  id: string,
): Promise<{ host: string; state: RolloutHostState }[]> {
  const sql = `SELECT ${shownHostSql('h.host')} AS host, h.state FROM rollout_hosts h WHERE h.rollout_id = $1 ORDER BY h.host`;
  return (await pool.query<{ host: string; state: RolloutHostState }>(sql, [id])).rows;
}

export interface RolloutSourceRow {
  readonly layer: LayerName;
  /** Scheme, host and port, or the path of a bundle. */
  readonly source: string;
  readonly tries: number;
  readonly successes: number;
  readonly bytes: number;
  readonly p95Ms: number;
  readonly lastError: string | null;
}

/** Tries of the downloads of a rollout since its creation; days bound what is read, because the history is partitioned by them. */
export async function rolloutSources(
  { pool }: Database,
  { id, createdAt }: { readonly id: string; readonly createdAt: Date },
): Promise<RolloutSourceRow[]> {
  const sql = `SELECT t.layer, coalesce(t.origin, t.source) AS source, count(*) AS tries,
      count(*) FILTER (WHERE t.status = 'success') AS successes, sum(coalesce(t.committed_bytes, t.bytes))::bigint AS bytes,
      percentile_disc(0.95) WITHIN GROUP (ORDER BY t.latency_ms) AS "p95Ms",
      (array_agg(coalesce(t.error_message, t.error_kind) ORDER BY t.at DESC) FILTER (WHERE t.status = 'failure'))[1] AS "lastError"
    FROM tries t
    WHERE t.at >= $2 AND t.day >= ($2::timestamptz AT TIME ZONE 'UTC')::date
      AND t.download_id IN (SELECT r.download_id FROM rollout_downloads r WHERE r.rollout_id = $1)
    GROUP BY 1, 2 ORDER BY bytes DESC, 1, 2`;
  return (await pool.query<RolloutSourceRow>(sql, [id, createdAt])).rows;
}
