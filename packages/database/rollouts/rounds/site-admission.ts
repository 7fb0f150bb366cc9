import type { SiteCounts } from '#core/rollout/next-steps';
import { admitted, chargeSite, holdBudgets, type BegunWork, type SiteWork } from '../../sites/site-budgets.ts';
import type { Client } from '../moves.ts';
import { presentBytes } from '../plan-queries.ts';
import type { RolloutRow } from '../rollout-row.ts';
import { ZONE_SQL } from '../state-sql.ts';

/** Hosts of a site that are looked at for its budget; the others are looked at once these have begun. */
const LOOKED_AT = 1000;

/** In the order in which hosts begin; `$3` are the time zones with an open window, or null. */
const READY_SQL = `
  SELECT h.host FROM rollout_hosts h LEFT JOIN hosts k ON k.name = h.host
  WHERE h.rollout_id = $1 AND h.site = $2 AND h.wave IS NOT NULL AND h.state = 'pending'
    AND ($3::text[] IS NULL OR ${ZONE_SQL} = ANY($3))
  ORDER BY h.wave, h.position, h.host LIMIT ${LOOKED_AT}`;

/** A rollout in another state begins with no host. */
const mayDispatch = ({ state, pauseReason, isHolding }: RolloutRow): boolean =>
  state === 'running' || isHolding || (state === 'paused' && pauseReason === 'budget');

/**
 * Leaves of the hosts that are ready those that the byte budgets of their sites admit now; the others are `held`. Holds the budgets until
 * the end of the transaction where a site of the rollout has one.
 */
export async function withinBudgets(
  client: Client,
  row: RolloutRow,
  sites: readonly SiteCounts[],
  openZones: readonly string[] | undefined,
  now: Date,
): Promise<SiteCounts[]> {
  const ready = sites.filter((site) => site.ready > 0).map(({ site }) => site);
  if (!mayDispatch(row) || !(await haveBudget(client, ready))) return [...sites];
  const budgets = new Map((await holdBudgets(client, now)).map((budget) => [budget.site, budget]));
  return Promise.all(
    sites.map(async (site) => {
      const budget = budgets.get(site.site);
      if (budget === undefined || site.ready === 0) return site;
      const { rows } = await client.query<{ host: string }>(READY_SQL, [row.id, site.site, openZones ?? null]);
      const hosts = rows.map(({ host }) => host);
      const free = Math.min(site.ready, admitted(budget, await missingWork(client, row, hosts)));
      return { ...site, ready: free, held: site.ready - free };
    }),
  );
}

async function haveBudget(client: Client, sites: readonly string[]): Promise<boolean> {
  if (sites.length === 0) return false;
  return (
    (await client.query('SELECT 1 FROM site_budgets WHERE site = ANY($1::text[]) LIMIT 1', [sites])).rows.length > 0
  );
}

/** What the hosts of a site lack, where the site has a budget. Read it before their downloads are written. */
export async function workToCharge(
  client: Client,
  row: RolloutRow,
  site: string,
  hosts: readonly string[],
): Promise<SiteWork[]> {
  return hosts.length > 0 && (await haveBudget(client, [site])) ? missingWork(client, row, hosts) : [];
}

/** Charges the budget of a site for hosts that got work. Downloads that were under way belong to the request that made them. */
export async function chargeHosts(
  client: Client,
  { id }: RolloutRow,
  site: string,
  work: readonly SiteWork[],
  now: Date,
): Promise<void> {
  const sql = `SELECT l.host, jsonb_agg(jsonb_build_object('id', d.id, 'generation', d.generation)) AS downloads
    FROM rollout_downloads l JOIN downloads d ON d.id = l.download_id
    WHERE l.rollout_id = $1 AND l.host = ANY($2::text[]) AND l.is_own GROUP BY l.host`;
  const { rows } = await client.query<Pick<BegunWork, 'host' | 'downloads'>>(sql, [id, work.map(({ host }) => host)]);
  const own = new Map(rows.map(({ host, downloads }) => [host, downloads]));
  const begun = work.map((one) => ({ ...one, downloads: own.get(one.host) ?? [] }));
  await chargeSite(client, site, begun, now);
}

/** By what is recorded as present. Files whose size is not known count as empty. */
async function missingWork(client: Client, { models }: RolloutRow, hosts: readonly string[]): Promise<SiteWork[]> {
  const sizeBytes = models.reduce((sum, model) => sum + model.sizeBytes, 0);
  const present = await presentBytes({ pool: client }, models, hosts);
  return hosts.map((host) => ({ host, bytes: Math.max(0, sizeBytes - (present.get(host) ?? 0)) }));
}
