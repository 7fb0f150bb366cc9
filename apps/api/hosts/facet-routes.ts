import { HostFacets, HostFacetsQuery, HostModels, HostParams } from '#contracts/http/hosts';
import { selectableOf } from '#core/selector/host-labels';
import { isSelected } from '#core/selector/selector';
import { alikeHosts } from '#database/hosts/host-marks';
import { hostByName } from '#database/hosts/host-queries';
import { modelsOn } from '#database/models/coverage-queries';
import type { Database } from '#database/sql/connect';
import type { Dependencies } from '../dependencies.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import type { App } from '../server/app-type.ts';
import { momentOrNull } from '../server/requests/moment.ts';
import { MAY_BE_OLD, readList } from '../server/requests/read-list.ts';
import { hostFilter } from './host-filter.ts';
import { unknownHost } from './unknown-host.ts';

const documented = { tags: ['hosts'], security: TOKEN_REQUIRED };

/** What the lists of hosts are filtered by, and what is wanted on one host. */
export function registerHostFacets(app: App, deps: Dependencies): void {
  app.get(
    '/api/host-facets',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'getHostFacets',
        summary: 'How many hosts match a filter, by status, worker version, label and disk',
        description: MAY_BE_OLD,
        querystring: HostFacetsQuery,
        response: { 200: HostFacets, ...problems(400) },
      },
    },
    async ({ query }, reply) => readList(deps, reply, (database) => facetsOf({ ...deps, database }, query)),
  );
  app.get(
    '/api/hosts/:name/models',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'listHostModels',
        summary: 'Which versions of models are wanted on a host, and how many of their files are there',
        params: HostParams,
        response: { 200: HostModels, ...problems(400, 404) },
      },
    },
    async ({ params }) => {
      const row = await hostByName(deps.database, params.name);
      if (row === undefined) throw await unknownHost(deps.database, params.name);
      const models = await modelsOn(deps.database, row.name);
      return { models: models.map((model) => ({ ...model, readyAt: momentOrNull(model.readyAt) })) };
    },
  );
}

/** A label with more values tells hosts apart, not groups of them. */
const MAX_VALUES = 100;

type Deps = Pick<Dependencies, 'now' | 'hostOfflineAfterMs'> & { readonly database: Database };

async function facetsOf(deps: Deps, query: HostFacetsQuery): Promise<HostFacets> {
  const filter = hostFilter(deps, query);
  // The names of the hosts were compared in the database.
  const selector = filter.selector.filter(({ is }) => is !== 'named');
  const labels = new Map<string, Map<string, number>>();
  const versions = new Map<string, number>();
  const counts = { total: 0, online: 0, offline: 0, draining: 0, lowDisk: 0 };
  for (const group of await alikeHosts(deps.database, filter)) {
    const { hosts, isOnline, draining, isLowOnDisk, workerVersion, workerLabels, labels: setLabels } = group;
    if (!isSelected(selector, selectableOf({ ...group, name: '' }))) continue;
    counts.total += hosts;
    counts[isOnline ? 'online' : 'offline'] += hosts;
    if (draining) counts.draining += hosts;
    if (isLowOnDisk) counts.lowDisk += hosts;
    count(versions, workerVersion ?? 'unknown', hosts);
    for (const [key, value] of Object.entries({ ...workerLabels, ...setLabels })) {
      const values = labels.get(key) ?? new Map<string, number>();
      count(values, value, hosts);
      labels.set(key, values);
    }
  }
  const groups = [...labels].filter(([, values]) => values.size <= MAX_VALUES);
  return {
    ...counts,
    versions: Object.fromEntries(versions),
    labels: Object.fromEntries(groups.map(([key, values]) => [key, Object.fromEntries(values)])),
  };
}

const count = (counts: Map<string, number>, value: string, hosts: number): void =>
  void counts.set(value, (counts.get(value) ?? 0) + hosts);
