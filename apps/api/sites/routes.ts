import { Site, SiteBudgetBody, SiteLimitBody, SiteList, SiteParams } from '#contracts/http/sites';
import { SECOND_MS } from '#core/units';
import {
  dropBudget,
  freeBudgetBytes,
  listSites,
  setBudget,
  type SetBudget,
  type SiteRow,
} from '#database/sites/site-budgets';
import { dropSiteLimit, setSiteLimit, type SiteLimit } from '#database/sites/site-limits';
import { noteForAudit } from '../access/audit/audit-writes.ts';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import { momentOf, momentOrNull } from '../server/requests/moment.ts';

/** Sites, and how many bytes rollouts and repairs may begin to bring there. */
export function registerSiteRoutes(app: App, deps: Dependencies): void {
  app.get(
    '/api/sites',
    {
      ...guardedBy('read'),
      schema: {
        operationId: 'listSites',
        summary: 'Sites of hosts with their byte budgets and limits, by name',
        tags: ['hosts'],
        security: TOKEN_REQUIRED,
        response: { 200: SiteList, ...problems() },
      },
    },
    async () => ({ sites: (await sitesOf(deps)).map(siteView) }),
  );
  registerSet(app, deps);
  registerDrop(app, deps);
  registerLimit(app, deps);
}

function registerSet(app: App, deps: Dependencies): void {
  app.put(
    '/api/sites/:site/budget',
    {
      ...guardedBy('write'),
      schema: {
        operationId: 'setSiteBudget',
        summary: 'Set how many bytes rollouts and repairs begin to bring to the hosts of a site within a window',
        description:
          'A host that would exceed it waits, and so do the hosts behind it. A host that lacks more than the whole budget begins when nothing ' +
          'else was begun in the window. Once the downloads of a host have ended, only what they moved from outside the site counts. ' +
          'Downloads that are asked for host by host are not held back, and do not count.',
        tags: ['hosts'],
        security: TOKEN_REQUIRED,
        params: SiteParams,
        body: SiteBudgetBody,
        response: { 200: Site, ...problems(400) },
      },
    },
    async (request) => {
      const { site } = request.params;
      const { bytes, per: windowMs } = request.body;
      const before = await siteOf(deps, site);
      await setBudget(deps.database, { site, bytes, windowMs }, request.caller!.name, deps.now());
      return changed(deps, request, 'budget', before);
    },
  );
}

function registerDrop(app: App, deps: Dependencies): void {
  app.delete(
    '/api/sites/:site/budget',
    {
      ...guardedBy('write'),
      schema: {
        operationId: 'dropSiteBudget',
        summary: 'Take the budget of a site away; repeating it changes nothing',
        tags: ['hosts'],
        security: TOKEN_REQUIRED,
        params: SiteParams,
        response: { 200: Site, ...problems(400) },
      },
    },
    async (request) => {
      const { site } = request.params;
      const before = await siteOf(deps, site);
      await dropBudget(deps.database, site);
      return changed(deps, request, 'budget', before);
    },
  );
}

function registerLimit(app: App, deps: Dependencies): void {
  const common = { tags: ['hosts'], security: TOKEN_REQUIRED, params: SiteParams };
  app.put(
    '/api/sites/:site/limit',
    {
      ...guardedBy('write'),
      schema: {
        ...common,
        operationId: 'setSiteLimit',
        summary: 'Set how fast bytes may enter a site',
        description:
          'Enrolled hosts of the site that fetch from outside have equal parts of it. They are told with their announces, within a few seconds. ' +
          'What hosts of the site give each other does not count.',
        body: SiteLimitBody,
        response: { 200: Site, ...problems(400) },
      },
    },
    async (request) => {
      const { site } = request.params;
      const before = await siteOf(deps, site);
      const limit = { site, ...request.body, setBy: request.caller!.name, setAt: deps.now() };
      await setSiteLimit(deps.database, limit);
      return changed(deps, request, 'limit', before);
    },
  );
  app.delete(
    '/api/sites/:site/limit',
    {
      ...guardedBy('write'),
      schema: {
        ...common,
        operationId: 'dropSiteLimit',
        summary: 'Take the limit of a site away; repeating it changes nothing',
        response: { 200: Site, ...problems(400) },
      },
    },
    async (request) => {
      const { site } = request.params;
      const before = await siteOf(deps, site);
      await dropSiteLimit(deps.database, site);
      return changed(deps, request, 'limit', before);
    },
  );
}

async function changed(
  deps: Dependencies,
  request: Parameters<typeof noteForAudit>[0],
  what: 'budget' | 'limit',
  before: Site,
): Promise<Site> {
  const after = await siteOf(deps, before.site);
  noteForAudit(request, { before: before[what], after: after[what] });
  deps.nudgeConductor();
  return after;
}

type SiteDeps = Pick<Dependencies, 'database' | 'now' | 'hostOfflineAfterMs'>;

const sitesOf = ({ database, now, hostOfflineAfterMs }: SiteDeps): Promise<SiteRow[]> =>
  listSites(database, new Date(now().getTime() - hostOfflineAfterMs), now());

/** A site that no host names and that has no budget is empty. */
async function siteOf(deps: SiteDeps, site: string): Promise<Site> {
  const row = (await sitesOf(deps)).find((one) => one.site === site);
  return siteView(row ?? { site, hosts: 0, onlineHosts: 0, waitingRepairs: 0, budget: null, limit: null, days: [] });
}

const siteView = ({ budget, limit, days, ...site }: SiteRow): Site => ({
  ...site,
  budget: budget && budgetView(budget),
  limit: limit && limitView(limit),
  days: [...days],
});

const limitView = ({ bytesPerSecond, setBy, setAt }: SiteLimit): NonNullable<Site['limit']> => ({
  ...{ bytesPerSecond, setBy, setAt: momentOf(setAt) },
});

const budgetView = (budget: SetBudget): NonNullable<Site['budget']> => ({
  bytes: budget.bytes,
  windowSeconds: budget.windowMs / SECOND_MS,
  usedBytes: budget.usedBytes,
  freeBytes: freeBudgetBytes(budget) ?? 0,
  freesAt: momentOrNull(budget.freesAt),
  setBy: budget.setBy,
  setAt: momentOf(budget.setAt),
});
