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

/** A text without what differs between alike messages, beside file and host: what follows the host of a URL, digests, CIDs and numbers. */
const NORMALIZED = [
  [`'(https?://[^/\\s]+)/[^\\s,;)]*'`, `'\\1/…'`],
  [
    `'\\m(Qm[1-9A-HJ-NP-Za-km-z]{44}|b[a-z2-7]{40,}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{16,})\\M'`,
    `'<id>'`,
  ],
  [`'\\d+([.,]\\d+)*'`, `'#'`],
].reduce((text, [pattern, by]) => `regexp_replace(${text}, ${pattern}, ${by}, 'g')`, 't.named');

/** Most downloads first, then the latest. */
export async function downloadErrorGroups(
  database: Database,
  { model, version, host, statuses, since, limit }: ErrorGroupFilter,
): Promise<DownloadErrorGroup[]> {
  const sql = `WITH found AS (
      SELECT d.id, d.path, d.host, coalesce(d.error_kind, d.pause_reason, d.status) AS reason,
        coalesce(d.source_place->>'origin', d.source) AS source, coalesce(d.error, d.reason, '') AS text,
        coalesce(d.completed_at, d.updated_at) AS at
      FROM downloads d
      WHERE d.status = ANY($1::text[]) AND (d.status = 'failed' OR d.pause_reason IS DISTINCT FROM 'requested')
        AND ($2::text IS NULL OR d.model = $2) AND ($3::text IS NULL OR d.version = $3) AND ($4::text IS NULL OR d.host = $4)
        AND ($5::timestamptz IS NULL OR coalesce(d.completed_at, d.updated_at) >= $5)
    ), named AS (
      SELECT f.*, replace(replace(f.text, f.path, '<file>'), coalesce(f.host, ' '), '<host>') AS named FROM found f
    ), texts AS MATERIALIZED (
      -- Once for each text: regular expressions over every failed download of a large fleet take seconds.
      SELECT t.named, ${NORMALIZED} AS message FROM (SELECT DISTINCT n.named FROM named n) t
    ), alike AS (SELECT n.*, t.message FROM named n JOIN texts t ON t.named = n.named), grouped AS (
      SELECT a.reason, a.source, a.message, count(*) AS count, min(a.at) AS "firstAt", max(a.at) AS "lastAt",
        (array_agg(DISTINCT a.host) FILTER (WHERE a.host IS NOT NULL))[1:10] AS names,
        (array_agg(a.id ORDER BY a.at DESC, a.id))[1] AS "downloadId", (array_agg(a.text ORDER BY a.at DESC, a.id))[1] AS sample
      FROM alike a GROUP BY 1, 2, 3
    )
    SELECT g.reason, g.source, g.message, g.count, g."firstAt", g."lastAt", g."downloadId", g.sample, coalesce((SELECT array_agg(${shownHostSql('n.host')} ORDER BY n.host) FROM unnest(g.names) AS n (host)), '{}') AS hosts
    FROM grouped g ORDER BY g.count DESC, g."lastAt" DESC, g.reason, g.message LIMIT $6`;
  const given = [statuses, model, version, host, since, limit].map((value) => value ?? null);
  return (await database.pool.query<DownloadErrorGroup>(sql, given)).rows;
}
