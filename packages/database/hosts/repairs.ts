import { SITE_LABEL } from '#core/selector/host-labels';
import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';

export interface RepairBudget {
  /** Most hosts of a site that are repaired at once. */
  readonly hostsPerSite: number;
  /** The same as a share of the hosts of the site, 0 to 1; one host may always. */
  readonly shareOfSite: number;
  /** Hosts that were heard of since this moment are online. */
  readonly aliveSince: Date;
}

/** A site of which unusually many hosts have lost files. */
export interface DriftingSite {
  /** Empty for the hosts without a site. */
  readonly site: string;
  readonly hosts: number;
  readonly lostOn: number;
}

/** @returns whether a repair waits for a place in the budget */
export async function hasWaitingRepairs(database: Database): Promise<boolean> {
  const sql = `SELECT 1 FROM downloads WHERE lost_at IS NOT NULL AND repair_waits AND status = 'pending' LIMIT 1`;
  return (await database.pool.query(sql)).rows.length > 0;
}

const SITES = `sites AS MATERIALIZED (
    SELECT h.name AS host, coalesce(h.labels->>'${SITE_LABEL}', h.worker_labels->>'${SITE_LABEL}', '') AS site, h.last_seen_at
    FROM hosts h
  )`;

/** `$1` the moment since which a host is online, `$2` hosts per site, `$3` share of a site, `$4` our clock. */
const RELEASE_SQL = `
  WITH ${SITES}, sizes AS (
    SELECT s.site, count(*) AS hosts FROM sites s GROUP BY s.site
  ), busy AS (
    SELECT DISTINCT d.host, s.site FROM downloads d JOIN sites s ON s.host = d.host
    WHERE d.lost_at IS NOT NULL AND NOT d.repair_waits AND d.status IN ('pending', 'in_progress', 'resuming')
      AND s.last_seen_at >= $1
  ), waiting AS (
    SELECT d.host, s.site, min(d.lost_at) AS since FROM downloads d JOIN sites s ON s.host = d.host
    WHERE d.lost_at IS NOT NULL AND d.repair_waits AND d.status = 'pending' AND s.last_seen_at >= $1 GROUP BY d.host, s.site
  ), ranked AS (
    SELECT w.host, w.site, row_number() OVER (PARTITION BY w.site ORDER BY w.since, w.host) AS place FROM waiting w
    WHERE w.host NOT IN (SELECT b.host FROM busy b)
  ), chosen AS (
    SELECT r.host FROM ranked r JOIN sizes z ON z.site = r.site
    WHERE r.place + (SELECT count(*) FROM busy b WHERE b.site = r.site)
      <= greatest(1, least($2::bigint, floor(z.hosts * $3::float8)::bigint))
    UNION SELECT b.host FROM busy b
  )
  UPDATE downloads d SET repair_waits = false, updated_at = $4
  FROM chosen c WHERE d.host = c.host AND d.lost_at IS NOT NULL AND d.repair_waits
  RETURNING d.id`;

/**
 * Lets repairs begin, host by host, the one that lost its files first before the others. A host that is being repaired keeps its place until
 * its files are there, are waited for, or have failed. @returns ids of the downloads that may be queued now
 */
export async function releaseRepairs(database: Database, budget: RepairBudget, now: Date): Promise<string[]> {
  const parameters = [budget.aliveSince, budget.hostsPerSite, budget.shareOfSite, now];
  return inTransaction(database, async (client) =>
    (await client.query<{ id: string }>(RELEASE_SQL, parameters)).rows.map(({ id }) => id),
  );
}

/** `$1` share of a site, `$2` fewest hosts, `$3` no second alarm for a site since this moment, `$4` our clock. */
const ALARM_SQL = `
  WITH ${SITES}, lost AS (
    SELECT s.site, count(DISTINCT d.host) AS hosts FROM downloads d JOIN sites s ON s.host = d.host
    WHERE d.lost_at IS NOT NULL AND d.status <> 'cancelled' GROUP BY s.site
  ), drifting AS (
    SELECT l.site, z.hosts, l.hosts AS lost_on FROM lost l
    JOIN (SELECT s.site, count(*) AS hosts FROM sites s GROUP BY s.site) z ON z.site = l.site
    WHERE l.hosts >= $2 AND l.hosts > z.hosts * $1::float8 AND NOT EXISTS (
      SELECT 1 FROM host_notices n WHERE n.at > $3 AND n.notice = 'drift' AND n.facts->>'site' = l.site
    )
  ), told AS (
    INSERT INTO host_notices (boot_id, sequence, position, host, at, notice, model, path, message, facts)
    SELECT gen_random_uuid(), 0, 0, NULL, $4, 'drift', NULL, NULL,
      g.lost_on || ' of ' || g.hosts || ' hosts of ' || CASE g.site WHEN '' THEN 'no site' ELSE 'the site ' || g.site END ||
        ' have lost files at once; they are repaired a few at a time: look for a common cause',
      jsonb_build_object('site', g.site, 'hosts', g.hosts, 'lostOn', g.lost_on)
    FROM drifting g
  )
  SELECT site, hosts, lost_on AS "lostOn" FROM drifting`;

/** Most of a site may lose files before it is an alarm, and the fewest hosts that are one. */
const ALARM = { share: 0.2, hosts: 3 };

/**
 * Records a notice `drift` for each site of which too many hosts have lost files at once.
 *
 * @param lastAlarmBefore a site with an alarm since then gets no second one
 */
export async function raiseDriftAlarms(database: Database, lastAlarmBefore: Date, now: Date): Promise<DriftingSite[]> {
  const parameters = [ALARM.share, ALARM.hosts, lastAlarmBefore, now];
  return inTransaction(database, async (client) => (await client.query<DriftingSite>(ALARM_SQL, parameters)).rows);
}
