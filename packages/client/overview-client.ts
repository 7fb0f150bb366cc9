import type { BulkPlan, CreateBulkActionBody } from '#contracts/http/bulk-actions';
import type { HostActionInput, HostActionResult, HostFacets, HostModels } from '#contracts/http/hosts';
import type { Chart, MetricChart } from '#contracts/http/metrics';
import type { ModelCoverage } from '#contracts/http/models';
import type { RolloutEvents } from '#contracts/http/rollouts/rollout-lists';
import type { RolloutHostStates, RolloutSources } from '#contracts/http/rollouts/rollout-overviews';
import type { HostList } from '#contracts/http/status';
import { send, type Call, type ClientOptions } from './send.ts';

export interface HostFilter {
  readonly selector?: string | undefined;
  readonly status?: 'online' | 'offline' | 'draining' | undefined;
  /** Part of the name. */
  readonly q?: string | undefined;
  /** Of the worker; several separated by commas. */
  readonly version?: string | undefined;
  readonly disk?: 'low' | undefined;
}

export interface HostPageFilter extends HostFilter {
  readonly cursor?: string | undefined;
  readonly limit?: number | undefined;
}

/** Pages, counts and pictures that the dashboard shows. Each method throws ApiError or UnreachableError. */
export interface OverviewClient {
  /** One page, by name. */
  listHostPage(filter: HostPageFilter): Promise<HostList>;
  getHostFacets(filter?: HostFilter): Promise<HostFacets>;
  /** What an action on many hosts would do; nothing is changed. */
  planHostAction(body: HostActionInput): Promise<HostActionResult>;
  actOnHosts(body: HostActionInput): Promise<HostActionResult>;
  listHostModels(name: string): Promise<HostModels>;
  getModelCoverage(name: string): Promise<ModelCoverage>;
  listRolloutHostStates(id: string): Promise<RolloutHostStates>;
  listRolloutSources(id: string): Promise<RolloutSources>;
  /** Oldest first, after a sequence. */
  listRolloutEvents(
    id: string,
    filter: { readonly after?: number | undefined; readonly limit?: number | undefined },
  ): Promise<RolloutEvents>;
  /** What a bulk action would do; nothing is changed. */
  planBulkAction(body: CreateBulkActionBody): Promise<BulkPlan>;
  /** @param window how far back, such as `24h`  @param before of the window before that one */
  getChart(chart: MetricChart, window: string, before?: boolean): Promise<Chart>;
}

const part = encodeURIComponent;

export const overviewMethods = (options: ClientOptions): OverviewClient => {
  const get = <Answer>(path: string, query: Call['query'] = {}) =>
    send<Answer>(options, { method: 'GET', path, query });
  return {
    listHostPage: (filter) => get('/api/hosts', { ...filter }),
    getHostFacets: (filter = {}) => get('/api/host-facets', { ...filter }),
    planHostAction: (body) => send(options, { method: 'POST', path: '/api/host-actions?dryRun=true', body }),
    actOnHosts: (body) => send(options, { method: 'POST', path: '/api/host-actions', body }),
    listHostModels: (name) => get(`/api/hosts/${part(name)}/models`),
    getModelCoverage: (name) => get(`/api/models/${part(name)}/coverage`),
    listRolloutHostStates: (id) => get(`/api/rollouts/${part(id)}/host-states`),
    listRolloutSources: (id) => get(`/api/rollouts/${part(id)}/sources`),
    listRolloutEvents: (id, filter) => get(`/api/rollouts/${part(id)}/events`, { ...filter }),
    planBulkAction: (body) => send(options, { method: 'POST', path: '/api/bulk-actions?dryRun=true', body }),
    getChart: (chart, window, before = false) =>
      get('/api/metrics/query', { chart, window, ...(before ? { before: 'true' } : {}) }),
  };
};
