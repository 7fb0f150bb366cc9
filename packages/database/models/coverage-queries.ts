import type { HostRow } from '../hosts/host-queries.ts';
import type { Database } from '../sql/connect.ts';

export interface VersionCoverage {
  readonly version: string;
  /** Hosts. */
  readonly wanted: number;
  readonly ready: number;
  readonly failed: number;
}

export interface HostModelRow {
  readonly model: string;
  readonly version: string;
  /** Files. */
  readonly wanted: number;
  readonly ready: number;
  readonly failed: number;
  readonly sizeBytes: number;
  /** Null until every file is there. */
  readonly readyAt: Date | null;
}

/** The latest download of each file on a host; cancelled ones are not wanted any more. */
const LATEST_SQL = `SELECT * FROM (
    SELECT DISTINCT ON (d.model, d.version, d.path) d.model, d.version, d.status, d.total_bytes, d.completed_at
    FROM downloads d
    WHERE d.host = $1 AND d.model IS NOT NULL AND d.version IS NOT NULL AND d.version NOT LIKE 'inline-%'
    ORDER BY d.model, d.version, d.path, d.created_at DESC, d.id DESC
  ) l WHERE l.status <> 'cancelled'`;

/** Whether each host has every file of each version of the model `$1`. In the order of an index that has all of its columns. */
const hostsSql = (
  condition: string,
): string => `SELECT version, host, bool_and(status = 'success') AS ready, bool_or(status = 'failed') AS failed
  FROM (
    SELECT DISTINCT ON (d.version, d.host, d.path) d.version, d.host, d.status FROM downloads d
    WHERE d.model = $1 AND ${condition} AND d.version NOT LIKE 'inline-%' AND d.host IS NOT NULL
    ORDER BY d.version, d.host, d.path, d.created_at DESC, d.id DESC
  ) l WHERE l.status <> 'cancelled' GROUP BY version, host`;

/** On how many hosts each version of a model is; the version that most hosts were asked to have first. */
export async function coverageOf({ pool }: Pick<Database, 'pool'>, model: string): Promise<VersionCoverage[]> {
  const sql = `SELECT version, count(*) AS wanted, count(*) FILTER (WHERE ready) AS ready, count(*) FILTER (WHERE failed) AS failed
    FROM (${hostsSql('true')}) v WHERE EXISTS (SELECT FROM hosts h WHERE h.name = v.host)
    GROUP BY version ORDER BY wanted DESC, version`;
  return (await pool.query<VersionCoverage>(sql, [model])).rows;
}

/** Hosts with the same labels. */
export interface LabelsCoverage extends Pick<HostRow, 'labels' | 'workerLabels'> {
  readonly hosts: number;
  /** Those of them that have every file of the version. */
  readonly ready: number;
}

/** All hosts, with or without the model. */
export async function coverageByLabels(
  { pool }: Pick<Database, 'pool'>,
  model: string,
  version: string,
): Promise<LabelsCoverage[]> {
  const sql = `SELECT h.labels, h.worker_labels AS "workerLabels", count(*) AS hosts, count(r.host) AS ready
    FROM hosts h LEFT JOIN (${hostsSql('d.version = $2')}) r ON r.host = h.name AND r.ready GROUP BY 1, 2`;
  return (await pool.query<LabelsCoverage>(sql, [model, version])).rows;
}

/** What is wanted on a host, by model and version. @param host in the form that names are compared in */
export async function modelsOn({ pool }: Pick<Database, 'pool'>, host: string): Promise<HostModelRow[]> {
  const sql = `SELECT model, version, count(*) AS wanted, count(*) FILTER (WHERE status = 'success') AS ready,
      count(*) FILTER (WHERE status = 'failed') AS failed, coalesce(sum(total_bytes), 0)::bigint AS "sizeBytes",
      CASE WHEN bool_and(status = 'success') THEN max(completed_at) END AS "readyAt"
    FROM (${LATEST_SQL}) w GROUP BY model, version ORDER BY model, version`;
  return (await pool.query<HostModelRow>(sql, [host])).rows;
}
