import { shownHostSql } from '../hosts/shown-host-sql.ts';
import type { Database } from '../sql/connect.ts';

export interface ErrorGroupFilter {
  readonly model?: string | undefined;
  readonly version?: string | undefined;
  readonly host?: string | undefined;
  /** `failed`, or `paused` by its worker: these wait for something. */
  readonly statuses: readonly ('failed' | 'paused')[];
  /** Only those that ended or changed since then. */
  readonly since?: Date | undefined;
  readonly limit: number;
}

/** Downloads that fail for the same reason at the same source with alike messages. */
export interface DownloadErrorGroup {
  readonly reason: string;
  /** Where the last bytes were asked for; null where no source was. */
  readonly source: string | null;
  /** What the messages have in common: names, addresses and numbers are left out. */
  readonly message: string;
  readonly count: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
  /** At most ten names, in the case that the workers have. */
  readonly hosts: string[];
  /** One of the downloads, the last. */
  readonly downloadId: string;
  /** Its message as it is. */
  readonly sample: string;
}

const MOST_HOSTS = 10;

/** The conditions of a filter on rows that have a host, a model and a version. */
const matches = (row: string, at: string): string =>
  `($2::text IS NULL OR ${row}.model = $2) AND ($3::text IS NULL OR ${row}.version = $3) AND ($4::text IS NULL OR ${row}.host = $4)
        AND ($5::timestamptz IS NULL OR ${at} >= $5)`;

/**
 * Failures are read from the table that a trigger keeps of them. What waits is read from the downloads; expressions run once for each text,
 * because over every row of a large fleet they take seconds. A group is found again by its place: the names of its hosts are long.
 */
const GROUPS_SQL = `
  WITH waiting AS MATERIALIZED (
    SELECT d.id, d.host, coalesce(d.error_kind, d.pause_reason, d.status) AS reason, coalesce(d.source_place->>'origin', d.source) AS source,
      haulier_unnamed(coalesce(d.error, d.reason, ''), d.path, d.host) AS unnamed, coalesce(d.completed_at, d.updated_at) AS at
    FROM downloads d
    WHERE 'paused' = ANY($1::text[]) AND d.status = 'paused' AND d.pause_reason IS DISTINCT FROM 'requested'
      AND ${matches('d', 'coalesce(d.completed_at, d.updated_at)')}
  ), texts AS MATERIALIZED (
    SELECT t.unnamed, haulier_alike(t.unnamed) AS message FROM (SELECT DISTINCT w.unnamed FROM waiting w) t
  ), found AS NOT MATERIALIZED (
    SELECT f.download_id AS id, f.host, f.reason, f.source, f.message, f.at FROM download_failures f
    WHERE 'failed' = ANY($1::text[]) AND ${matches('f', 'f.at')}
    UNION ALL SELECT w.id, w.host, w.reason, w.source, t.message, w.at FROM waiting w JOIN texts t USING (unnamed)
  ), grouped AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY count(*) DESC, max(f.at) DESC, f.reason, f.message, f.source) AS place, f.reason, f.source, f.message,
      count(*) AS count, min(f.at) AS "firstAt", max(f.at) AS "lastAt"
    FROM found f GROUP BY f.reason, f.source, f.message ORDER BY place LIMIT $6
  ), members AS MATERIALIZED (
    SELECT g.place, f.host, f.id, f.at = g."lastAt" AS is_last FROM found f
    JOIN grouped g ON g.reason = f.reason AND g.message = f.message AND coalesce(g.source, '') = coalesce(f.source, '')
  ), placed AS (
    SELECT m.place, m.host, row_number() OVER (PARTITION BY m.place ORDER BY m.host) AS nth
    FROM (SELECT DISTINCT m.place, m.host FROM members m WHERE m.host IS NOT NULL) m
  ), named AS MATERIALIZED (
    SELECT p.place, array_agg(${shownHostSql('p.host')} ORDER BY p.host) AS hosts FROM placed p WHERE p.nth <= ${MOST_HOSTS} GROUP BY p.place
  ), last AS (SELECT DISTINCT ON (m.place) m.place, m.id FROM members m WHERE m.is_last ORDER BY m.place, m.id)
  SELECT g.reason, g.source, g.message, g.count, g."firstAt", g."lastAt", d.id AS "downloadId", coalesce(d.error, d.reason, '') AS sample,
    coalesce(n.hosts, '{}') AS hosts
  FROM grouped g JOIN last l ON l.place = g.place JOIN downloads d ON d.id = l.id LEFT JOIN named n ON n.place = g.place
  ORDER BY g.place`;

/** Most downloads first, then the latest. */
export async function downloadErrorGroups(
  database: Database,
  { model, version, host, statuses, since, limit }: ErrorGroupFilter,
): Promise<DownloadErrorGroup[]> {
  const given = [statuses, model, version, host, since, limit].map((value) => value ?? null);
  return (await database.pool.query<DownloadErrorGroup>(GROUPS_SQL, given)).rows;
}
