import { SITE_LABEL } from '#core/selector/host-labels';
import type { Database } from '../sql/connect.ts';
import { chargeSite, holdBudgets, type BegunWork } from '../sites/site-budgets.ts';
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

/**
 * `$1` the moment since which a host is online, `$2` hosts per site, `$3` share of a site, `$4` our clock; `$5` to `$7` are the sites with
 * a byte budget, the bytes of each and how many of them are used. Hosts that are being repaired come first.
 */
const RELEASE_SQL = `
  WITH ${SITES}, sizes AS (
    SELECT s.site, count(*) AS hosts FROM sites s GROUP BY s.site
  ), budgets AS (
    SELECT * FROM unnest($5::text[], $6::bigint[], $7::bigint[]) AS b (site, bytes, used)
  ), busy AS (
    SELECT DISTINCT d.host, s.site FROM downloads d JOIN sites s ON s.host = d.host
    WHERE d.lost_at IS NOT NULL AND NOT d.repair_waits AND d.status IN ('pending', 'in_progress', 'resuming')
      AND s.last_seen_at >= $1
  ), waiting AS (
    SELECT d.host, s.site, min(d.lost_at) AS since, coalesce(sum(d.total_bytes), 0)::bigint AS bytes,
      d.host IN (SELECT b.host FROM busy b) AS is_busy
    FROM downloads d JOIN sites s ON s.host = d.host
    WHERE d.lost_at IS NOT NULL AND d.repair_waits AND d.status = 'pending' AND s.last_seen_at >= $1 GROUP BY d.host, s.site
  ), ranked AS (
    SELECT w.*, count(*) FILTER (WHERE NOT w.is_busy) OVER line AS place, sum(w.bytes) OVER line AS needed,
      coalesce(sum(w.bytes) OVER before, 0) AS needed_before
    FROM waiting w
    WINDOW line AS (PARTITION BY w.site ORDER BY w.is_busy DESC, w.since, w.host),
      before AS (PARTITION BY w.site ORDER BY w.is_busy DESC, w.since, w.host ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
  ), chosen AS (
    SELECT r.host, r.site, r.bytes FROM ranked r JOIN sizes z ON z.site = r.site LEFT JOIN budgets b ON b.site = r.site
    WHERE (r.is_busy OR r.place + (SELECT count(*) FROM busy o WHERE o.site = r.site)
        <= greatest(1, least($2::bigint, floor(z.hosts * $3::float8)::bigint)))
      AND (b.site IS NULL OR b.used + r.needed <= b.bytes OR b.used + r.needed_before = 0)
  ), released AS (
    UPDATE downloads d SET repair_waits = false, updated_at = $4
    FROM chosen c WHERE d.host = c.host AND d.lost_at IS NOT NULL AND d.repair_waits
    RETURNING d.id, d.host, d.generation
  )
  SELECT (SELECT coalesce(array_agg(r.id), '{}') FROM released r) AS ids,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('site', c.site, 'host', c.host, 'bytes', c.bytes, 'downloads', (
        SELECT jsonb_agg(jsonb_build_object('id', r.id, 'generation', r.generation)) FROM released r WHERE r.host = c.host
      ))), '[]') FROM chosen c JOIN budgets b ON b.site = c.site) AS charges`;

/**
 * Lets repairs begin, host by host, the one that lost its files first before the others. A host that is being repaired keeps its place until
 * its files are there, are waited for, or have failed. The byte budget of a site holds back what would exceed it.
 *
 * @returns ids of the downloads that may be queued now
 */
export async function releaseRepairs(database: Database, budget: RepairBudget, now: Date): Promise<string[]> {
  return inTransaction(database, async (client) => {
    const bytes = await holdBudgets(client, now);
    const limits = [budget.aliveSince, budget.hostsPerSite, budget.shareOfSite, now];
    const columns = [bytes.map(({ site }) => site), bytes.map((one) => one.bytes), bytes.map((one) => one.usedBytes)];
    type Released = { readonly ids: string[]; readonly charges: readonly (BegunWork & { readonly site: string })[] };
    const { ids, charges } = (await client.query<Released>(RELEASE_SQL, [...limits, ...columns])).rows[0]!;
    for (const { site, ...work } of charges) await chargeSite(client, site, [work], now);
    return ids;
  });
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
