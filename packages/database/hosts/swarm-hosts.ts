import { SITE_LABEL } from '#core/selector/host-labels';
import type { Database } from '../sql/connect.ts';

/** @returns the label `site` of a host; empty for a host without one, or that is not known */
export async function siteOfHost(database: Database, host: string): Promise<string> {
  const sql = `SELECT coalesce(h.labels->>'${SITE_LABEL}', h.worker_labels->>'${SITE_LABEL}', '') AS site
    FROM hosts h WHERE h.name = $1`;
  return (await database.pool.query<{ site: string }>(sql, [host])).rows[0]?.site ?? '';
}

/**
 * Which files a host may fetch from other hosts: those of its own downloads, and with the pool those of the pool.
 *
 * @param cids as downloads name them
 */
export async function fetchableCids(
  database: Database,
  host: string,
  mayPool: boolean,
  cids: readonly string[],
): Promise<ReadonlySet<string>> {
  const sql = `SELECT DISTINCT d.cid FROM downloads d
    WHERE d.cid = ANY($2::text[]) AND (d.host = $1 OR ($3 AND d.host IS NULL)) AND d.status <> 'cancelled'`;
  const { rows } = await database.pool.query<{ cid: string }>(sql, [host, cids, mayPool]);
  return new Set(rows.map(({ cid }) => cid));
}
