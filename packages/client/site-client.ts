import type { Site, SiteBudgetInput, SiteLimitInput, SiteList } from '#contracts/http/sites';
import { send, type ClientOptions } from './send.ts';

/** Sites of hosts, their byte budgets and limits. */
export interface SiteClient {
  /** By name. */
  listSites(): Promise<Site[]>;
  /** Most bytes that rollouts and repairs begin to bring to the site within a window. */
  setSiteBudget(site: string, budget: SiteBudgetInput): Promise<Site>;
  dropSiteBudget(site: string): Promise<Site>;
  /** How fast bytes may enter the site. */
  setSiteLimit(site: string, limit: SiteLimitInput): Promise<Site>;
  dropSiteLimit(site: string): Promise<Site>;
}

export function siteMethods(options: ClientOptions): SiteClient {
  const budgetPath = (site: string): string => `/api/sites/${encodeURIComponent(site)}/budget`;
  const limitPath = (site: string): string => `/api/sites/${encodeURIComponent(site)}/limit`;
  return {
    listSites: async () => (await send<SiteList>(options, { method: 'GET', path: '/api/sites' })).sites,
    setSiteBudget: (site, body) => send<Site>(options, { method: 'PUT', path: budgetPath(site), body }),
    dropSiteBudget: (site) => send<Site>(options, { method: 'DELETE', path: budgetPath(site) }),
    setSiteLimit: (site, body) => send<Site>(options, { method: 'PUT', path: limitPath(site), body }),
    dropSiteLimit: (site) => send<Site>(options, { method: 'DELETE', path: limitPath(site) }),
  };
}
