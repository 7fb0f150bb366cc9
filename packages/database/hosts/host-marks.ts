import type { Database } from '../sql/connect.ts';
import type { HostRow } from './host-queries.ts';

/** What hosts are filtered and counted by: a part of HostRow that thousands are read of at once. */
export type HostMarks = Pick<
  HostRow,
  | 'name'
  | 'lastSeenAt'
  | 'draining'
  | 'storeBytes'
  | 'freeBytes'
  | 'workerVersion'
  | 'labels'
  | 'workerLabels'
  | 'facts'
>;

/** Every host that was ever heard of. */
export async function allHostMarks({ pool }: Pick<Database, 'pool'>): Promise<HostMarks[]> {
  const sql = `SELECT name, last_seen_at AS "lastSeenAt", draining, store_bytes AS "storeBytes", free_bytes AS "freeBytes",
      worker_version AS "workerVersion", labels, worker_labels AS "workerLabels", facts
    FROM hosts`;
  return (await pool.query<HostMarks>(sql)).rows;
}
