import type pg from 'pg';
import { SITE_LABEL } from '#core/selector/host-labels';
import type { Database } from '../sql/connect.ts';
import { daysBySite, type SiteDay } from './settle-charges.ts';
import { limitsBySite, type SiteLimit } from './site-limits.ts';

type Queryable = Pick<pg.ClientBase, 'query'>;

/** How many bytes may be begun at a site within a window, and how many were. */
export interface SiteBudget {
  readonly site: string;
  readonly bytes: number;
  readonly windowMs: number;
  /** Bytes that were begun within the window that ends now; of what has ended, those that were moved. */
  readonly usedBytes: number;
  /** When the first of them leaves the window; null while there are none. */
  readonly freesAt: Date | null;
}

/** A budget that was set. */
export interface SetBudget extends SiteBudget {
  readonly setBy: string;
  readonly setAt: Date;
}

/** Of the budget `b`; `$1` is the time. A charge counts until its whole window is over. */
const USED_SQL = `LATERAL (
    SELECT coalesce(sum(c.bytes), 0)::bigint AS used, min(c.at) + b.window_ms * interval '1 millisecond' AS frees
    FROM site_charges c WHERE c.site = b.site AND c.bytes > 0 AND c.at > $1::timestamptz - b.window_ms * interval '1 millisecond'
  ) u`;

const BUDGET_COLUMNS = `b.site, b.bytes, b.window_ms AS "windowMs", u.used AS "usedBytes", u.frees AS "freesAt"`;

/**
 * Reads all budgets and holds them until the end of the transaction, so that of several processes and of rollouts and repairs one at a time
 * spends. The charges are read after the lock.
 */
export async function holdBudgets(client: Queryable, now: Date): Promise<SiteBudget[]> {
  await client.query('SELECT site FROM site_budgets ORDER BY site FOR UPDATE');
  const sql = `SELECT ${BUDGET_COLUMNS} FROM site_budgets b CROSS JOIN ${USED_SQL} ORDER BY b.site`;
  return (await client.query<SiteBudget>(sql, [now])).rows;
}

/** What a budget has left now; null without one. */
export const freeBudgetBytes = (budget: Pick<SiteBudget, 'bytes' | 'usedBytes'> | null | undefined): number | null =>
  budget == null ? null : Math.max(0, budget.bytes - budget.usedBytes);

/** Every budget as it stands, without holding it. */
export async function budgetsBySite(database: Database, now: Date): Promise<ReadonlyMap<string, SetBudget>> {
  const sql = `SELECT ${BUDGET_COLUMNS}, b.set_by AS "setBy", b.set_at AS "setAt" FROM site_budgets b CROSS JOIN ${USED_SQL}`;
  return new Map((await database.pool.query<SetBudget>(sql, [now])).rows.map((budget) => [budget.site, budget]));
}

/** Work that a host of a site would begin. */
export interface SiteWork {
  readonly host: string;
  /** Missing there. */
  readonly bytes: number;
}

/** Work that begins, with its downloads. What each of them moves from its generation on belongs to this work. */
export interface BegunWork extends SiteWork {
  readonly downloads: readonly { readonly id: string; readonly generation: number }[];
}

/**
 * How many of the hosts may begin now, in their order. The budget is kept exactly: a host that would exceed it waits, and so does every host
 * behind it that lacks bytes. A host that lacks more than the whole budget begins when nothing else was begun in the window.
 */
export function admitted(
  { bytes, usedBytes }: Pick<SiteBudget, 'bytes' | 'usedBytes'>,
  work: readonly SiteWork[],
): number {
  let used = usedBytes;
  for (const [index, one] of work.entries()) {
    const fits = one.bytes === 0 || used + one.bytes <= bytes || used === 0;
    if (!fits) return index;
    used += one.bytes;
  }
  return work.length;
}

/**
 * Notes what begins, also of hosts that lack nothing by their records: they may move bytes all the same. Forgets settled charges that left
 * the window. Sites without a budget are left out.
 */
export async function chargeSite(
  client: Queryable,
  site: string,
  work: readonly BegunWork[],
  now: Date,
): Promise<void> {
  const forget = `DELETE FROM site_charges c USING site_budgets b
    WHERE b.site = c.site AND c.site = $1 AND c.at <= $2::timestamptz - b.window_ms * interval '1 millisecond'
      AND (c.settled_at IS NOT NULL OR c.downloads IS NULL)`;
  await client.query(forget, [site, now]);
  const charged = work.map(({ host, bytes, downloads }) => ({
    ...{ host, bytes, downloads: downloads.map(({ id }) => id) },
    generations: downloads.map(({ generation }) => generation),
  }));
  const sql = `INSERT INTO site_charges (site, at, bytes, host, downloads, generations)
    SELECT b.site, $2, w.bytes, w.host, w.downloads, w.generations
    FROM jsonb_to_recordset($3::jsonb) AS w (host text, bytes bigint, downloads uuid[], generations integer[])
    JOIN site_budgets b ON b.site = $1`;
  await client.query(sql, [site, now, JSON.stringify(charged)]);
}

/** Sets the budget of a site. What was begun before counts for the new one. */
export async function setBudget(
  database: Database,
  { site, bytes, windowMs }: Pick<SiteBudget, 'site' | 'bytes' | 'windowMs'>,
  setBy: string,
  now: Date,
): Promise<void> {
  const sql = `INSERT INTO site_budgets AS b (site, bytes, window_ms, set_by, set_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (site) DO UPDATE SET bytes = excluded.bytes, window_ms = excluded.window_ms, set_by = excluded.set_by,
      set_at = excluded.set_at`;
  await database.pool.query(sql, [site, bytes, windowMs, setBy, now]);
}

/** @returns false when the site had none */
export async function dropBudget(database: Database, site: string): Promise<boolean> {
  return (await database.pool.query('DELETE FROM site_budgets WHERE site = $1', [site])).rowCount === 1;
}

/** A site that hosts name, or that has a budget or a limit. */
export interface SiteRow {
  readonly site: string;
  readonly hosts: number;
  readonly onlineHosts: number;
  /** Hosts with lost files whose repair waits. */
  readonly waitingRepairs: number;
  readonly budget: SetBudget | null;
  readonly limit: SiteLimit | null;
  /** What settled charges moved, the newest day first. */
  readonly days: readonly SiteDay[];
}

/** Days before today that are listed. */
const DAYS_LISTED = 30;

/** By name; hosts without a site are left out. @param aliveSince hosts heard of since are online */
export async function listSites(database: Database, aliveSince: Date, now: Date): Promise<SiteRow[]> {
  const sql = `WITH placed AS (
      SELECT h.name, coalesce(h.labels->>'${SITE_LABEL}', h.worker_labels->>'${SITE_LABEL}', '') AS site, h.last_seen_at FROM hosts h
    ), known AS (
      SELECT p.site FROM placed p WHERE p.site <> '' UNION SELECT b.site FROM site_budgets b
      UNION SELECT l.site FROM site_limits l
    )
    SELECT k.site, count(p.name) AS hosts, count(p.name) FILTER (WHERE p.last_seen_at >= $1) AS "onlineHosts",
      count(p.name) FILTER (WHERE EXISTS (
        SELECT 1 FROM downloads d WHERE d.host = p.name AND d.lost_at IS NOT NULL AND d.repair_waits AND d.status = 'pending'
      )) AS "waitingRepairs"
    FROM known k LEFT JOIN placed p ON p.site = k.site GROUP BY k.site ORDER BY k.site`;
  const [sites, budgets, limits, days] = await Promise.all([
    database.pool.query<Omit<SiteRow, 'budget' | 'limit' | 'days'>>(sql, [aliveSince]),
    budgetsBySite(database, now),
    limitsBySite(database),
    daysBySite(database, DAYS_LISTED, now),
  ]);
  return sites.rows.map((site) => ({
    ...site,
    budget: budgets.get(site.site) ?? null,
    limit: limits.get(site.site) ?? null,
    days: days.get(site.site) ?? [],
  }));
}
