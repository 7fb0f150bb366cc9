import type { Database } from '../sql/connect.ts';
import { hostConditions, LOW_ON_DISK_SQL, type HostRowFilter } from './host-filter-sql.ts';
import type { HostRow } from './host-queries.ts';

/** What hosts are told apart by: a part of HostRow that thousands are read of at once. */
export type HostMarks = Pick<
  HostRow,
  'name' | 'lastSeenAt' | 'draining' | 'workerVersion' | 'labels' | 'workerLabels' | 'facts'
>;

/** Hosts that match the filter, or that have one of the names. */
export async function hostMarks(
  { pool }: Pick<Database, 'pool'>,
  which: HostRowFilter | { readonly names: readonly string[] },
): Promise<HostMarks[]> {
  const parameters: unknown[] = [];
  const given = (value: unknown): string => `$${parameters.push(value)}`;
  const conditions = 'names' in which ? [`h.name = ANY(${given(which.names)}::text[])`] : hostConditions(which, given);
  const sql = `SELECT h.name, h.last_seen_at AS "lastSeenAt", h.draining, h.worker_version AS "workerVersion", h.labels,
      h.worker_labels AS "workerLabels", h.facts
    FROM hosts h WHERE ${['true', ...conditions].join(' AND ')}`;
  return (await pool.query<HostMarks>(sql, parameters)).rows;
}

/** Hosts that are alike. */
export interface AlikeHosts extends Pick<
  HostMarks,
  'draining' | 'workerVersion' | 'labels' | 'workerLabels' | 'facts'
> {
  readonly hosts: number;
  readonly isOnline: boolean;
  readonly isLowOnDisk: boolean;
}

/** The hosts that match the filter, counted by what they are told apart by: a large fleet has few kinds of hosts. */
export async function alikeHosts({ pool }: Pick<Database, 'pool'>, filter: HostRowFilter): Promise<AlikeHosts[]> {
  const parameters: unknown[] = [filter.aliveSince];
  const given = (value: unknown): string => `$${parameters.push(value)}`;
  const sql = `SELECT hosts, "isOnline", draining, "isLowOnDisk", "workerVersion", labels, "workerLabels",
      jsonb_strip_nulls(jsonb_build_object('arch', arch, 'os', os, 'gpus', gpus)) AS facts
    FROM (
      SELECT count(*) AS hosts, h.last_seen_at >= $1 AS "isOnline", h.draining, ${LOW_ON_DISK_SQL} AS "isLowOnDisk",
        h.worker_version AS "workerVersion", h.labels, h.worker_labels AS "workerLabels", h.facts -> 'arch' AS arch, h.facts -> 'os' AS os,
        h.facts -> 'gpus' AS gpus
      FROM hosts h WHERE ${['true', ...hostConditions(filter, given)].join(' AND ')} GROUP BY 2, 3, 4, 5, 6, 7, 8, 9, 10
    ) g`;
  return (await pool.query<AlikeHosts>(sql, parameters)).rows;
}
