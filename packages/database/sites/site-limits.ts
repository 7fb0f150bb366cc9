import type { Database } from '../sql/connect.ts';

/** How fast bytes may enter a site, over all of its hosts. */
export interface SiteLimit {
  readonly site: string;
  readonly bytesPerSecond: number;
  readonly setBy: string;
  readonly setAt: Date;
}

const COLUMNS = `l.site, l.bytes_per_second AS "bytesPerSecond", l.set_by AS "setBy", l.set_at AS "setAt"`;

export async function limitsBySite({ pool }: Database): Promise<ReadonlyMap<string, SiteLimit>> {
  const { rows } = await pool.query<SiteLimit>(`SELECT ${COLUMNS} FROM site_limits l`);
  return new Map(rows.map((limit) => [limit.site, limit]));
}

export async function setSiteLimit(
  { pool }: Database,
  { site, bytesPerSecond, setBy, setAt }: SiteLimit,
): Promise<void> {
  const sql = `INSERT INTO site_limits (site, bytes_per_second, set_by, set_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (site) DO UPDATE SET bytes_per_second = excluded.bytes_per_second, set_by = excluded.set_by, set_at = excluded.set_at`;
  await pool.query(sql, [site, bytesPerSecond, setBy, setAt]);
}

/** A site without a limit stays without one. */
export async function dropSiteLimit({ pool }: Database, site: string): Promise<void> {
  await pool.query('DELETE FROM site_limits WHERE site = $1', [site]);
}
