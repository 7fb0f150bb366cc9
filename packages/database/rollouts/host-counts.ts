import type { RolloutHostState } from '#core/rollout/host-state';
import type { Database } from '../sql/connect.ts';

/** Hosts of a rollout that are alike. */
export interface HostGroup {
  readonly rolloutId: string;
  readonly state: RolloutHostState;
  readonly isLate: boolean;
  readonly isTimedOut: boolean;
  readonly alreadyPresent: boolean;
  readonly hosts: number;
  readonly bytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
}

/** How many hosts of each rollout stand where. A trigger notes each change in the transaction that makes it. */
export async function hostGroups({ pool }: Database, rolloutIds: readonly string[]): Promise<HostGroup[]> {
  const sql = `SELECT c.rollout_id AS "rolloutId", c.state, c.is_late AS "isLate", c.is_timed_out AS "isTimedOut",
      c.already_present AS "alreadyPresent", sum(c.hosts)::bigint AS hosts, sum(c.bytes)::bigint AS bytes,
      sum(c.total_bytes)::bigint AS "totalBytes", sum(c.bytes_per_second)::bigint AS "bytesPerSecond"
    FROM rollout_host_counts c WHERE c.rollout_id = ANY($1::uuid[]) GROUP BY 1, 2, 3, 4, 5 HAVING sum(c.hosts) <> 0`;
  return (await pool.query<HostGroup>(sql, [rolloutIds])).rows;
}

/** Fewer noted changes of a rollout are added up in no time. */
const MOST_CHANGES = 200;

/** Every row that is taken away is part of a new one, so that the sums stay the same; rows that another process takes are left to it. */
const ADD_UP_SQL = `
  WITH long AS (
    SELECT c.rollout_id FROM rollout_host_counts c GROUP BY c.rollout_id HAVING count(*) > $1
  ), free AS (
    SELECT c.ctid FROM rollout_host_counts c JOIN long l ON l.rollout_id = c.rollout_id FOR UPDATE OF c SKIP LOCKED
  ), taken AS (
    DELETE FROM rollout_host_counts c USING free f WHERE c.ctid = f.ctid RETURNING c.*
  )
  INSERT INTO rollout_host_counts
  SELECT t.rollout_id, t.state, t.is_late, t.is_timed_out, t.already_present, sum(t.hosts), sum(t.bytes), sum(t.total_bytes), sum(t.bytes_per_second)
  FROM taken t GROUP BY 1, 2, 3, 4, 5
  HAVING sum(t.hosts) <> 0 OR sum(t.bytes) <> 0 OR sum(t.total_bytes) <> 0 OR sum(t.bytes_per_second) <> 0`;

/** Puts one row for each group of hosts in the place of many noted changes. */
export const addUpHostCounts = async ({ pool }: Database, mostChanges = MOST_CHANGES): Promise<void> =>
  void (await pool.query(ADD_UP_SQL, [mostChanges]));
