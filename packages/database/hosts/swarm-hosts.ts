import { SITE_LABEL } from '#core/selector/host-labels';
import type { Database } from '../sql/connect.ts';

/** Where a host is. */
export interface HostSite {
  /** Label `site`; empty for a host without one, or that is not known. */
  readonly site: string;
  /** How fast bytes may enter the site, over all of its hosts; null: no limit. */
  readonly bytesPerSecond: number | null;
}

export async function siteOfHost(database: Database, host: string): Promise<HostSite> {
  const sql = `SELECT s.site, l.bytes_per_second AS "bytesPerSecond" FROM hosts h
    CROSS JOIN LATERAL (SELECT coalesce(h.labels->>'${SITE_LABEL}', h.worker_labels->>'${SITE_LABEL}', '') AS site) s
    LEFT JOIN site_limits l ON l.site = s.site WHERE h.name = $1`;
  return (await database.pool.query<HostSite>(sql, [host])).rows[0] ?? { site: '', bytesPerSecond: null };
}

/** A file that a host may fetch from other hosts. */
export interface FetchableFile {
  /** As its downloads name it. */
  readonly cid: string;
  /** The newest rollout that the latest download of it belongs to; null: none. */
  readonly rollout: string | null;
  /** How many copies may leave the origin for that rollout while other hosts can give it. */
  readonly originCopies: number;
}

/**
 * Which files a host may fetch from other hosts: those of its own downloads, and with the pool those of the pool.
 *
 * @param cids as downloads name them
 */
export async function fetchableFiles(
  database: Database,
  host: string,
  mayPool: boolean,
  cids: readonly string[],
): Promise<FetchableFile[]> {
  const sql = `SELECT DISTINCT ON (d.cid) d.cid, r.id AS rollout, coalesce((r.spec->>'originCopies')::int, 1) AS "originCopies"
    FROM downloads d LEFT JOIN rollout_downloads b ON b.download_id = d.id LEFT JOIN rollouts r ON r.id = b.rollout_id
    WHERE d.cid = ANY($2::text[]) AND (d.host = $1 OR ($3 AND d.host IS NULL)) AND d.status <> 'cancelled'
    ORDER BY d.cid, d.host NULLS LAST, d.created_at DESC, d.id, r.created_at DESC NULLS LAST, r.id`;
  return (await database.pool.query<FetchableFile>(sql, [host, cids, mayPool])).rows;
}

/** Of so many newest downloads of a host those that have not ended are found. */
const NEWEST = 200;

/**
 * CIDs of files that a host will fetch, or fetches: those of its own downloads that have not ended, the oldest first.
 *
 * @param most of them
 * @returns as downloads name them
 */
export async function awaitedCids(database: Database, host: string, most: number): Promise<string[]> {
  const sql = `SELECT d.cid FROM (SELECT cid, status, created_at, id FROM downloads WHERE host = $1 ORDER BY created_at DESC, id DESC LIMIT ${NEWEST}) d
    WHERE d.cid IS NOT NULL AND d.status IN ('pending', 'in_progress', 'resuming', 'paused')
    GROUP BY d.cid ORDER BY min(d.created_at), d.cid LIMIT $2`;
  const { rows } = await database.pool.query<{ cid: string }>(sql, [host, most]);
  return rows.map(({ cid }) => cid);
}
