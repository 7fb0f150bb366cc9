import { HostParams, ListHostsQuery } from '#contracts/http/hosts';
import { HostDetail, HostList } from '#contracts/http/status';
import { selectableOf } from '#core/selector/host-labels';
import { isSelected } from '#core/selector/selector';
import { labelsTag } from '#database/hosts/host-actions';
import { looksAtFacts } from '#database/hosts/host-filter-sql';
import { hostByName, listHosts, type HostRow } from '#database/hosts/host-queries';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { decodeName, encodeName } from '../server/requests/cursor.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import { MAY_BE_OLD, readList } from '../server/requests/read-list.ts';
import { unknownHost } from './unknown-host.ts';
import { hostFilter } from './host-filter.ts';
import { hostDetail, hostView } from './view.ts';

export function registerHostList(app: App, deps: Dependencies): void {
  app.get(
    '/api/hosts',
    {
      ...guardedBy('read'),
      schema: {
        operationId: 'listHosts',
        summary: 'Hosts that were ever heard of, by name; `?selector=gpu=true,site in (eu-1,eu-2)`',
        description: MAY_BE_OLD,
        tags: ['hosts'],
        security: TOKEN_REQUIRED,
        querystring: ListHostsQuery,
        response: { 200: HostList, ...problems(400) },
      },
    },
    async ({ query }, reply) => readList(deps, reply, (database) => pageOf({ ...deps, database }, query)),
  );
  app.get(
    '/api/hosts/:name',
    {
      ...guardedBy('read'),
      schema: {
        operationId: 'getHost',
        summary:
          'One host, and how what it has differs from what is wanted there; its `ETag` is for a change of its labels',
        tags: ['hosts'],
        security: TOKEN_REQUIRED,
        params: HostParams,
        response: { 200: HostDetail, ...problems(400, 404) },
      },
    },
    async ({ params }, reply) => {
      const row = await hostByName(deps.database, params.name);
      if (row === undefined) throw await unknownHost(deps.database, params.name);
      return reply.header('etag', `"${await labelsTag(deps.database, row.name)}"`).send(await hostDetail(row, deps));
    },
  );
}

/** Rows that are read at once to find those that match. To read a row takes some ten microseconds of the event loop. */
const CHUNK = 1000;

/** Conditions on facts are matched here, not in the database, so more hosts may be read than the page shows. */
async function pageOf(deps: Dependencies, query: ListHostsQuery): Promise<HostList> {
  const filter = hostFilter(deps, query);
  const chunk = looksAtFacts(filter.selector) ? Math.max(query.limit + 1, CHUNK) : query.limit + 1;
  const found: HostRow[] = [];
  let after: string | undefined = query.cursor === undefined ? '' : decodeName(query.cursor);
  while (after !== undefined && found.length <= query.limit) {
    const rows: HostRow[] = await listHosts(deps.database, chunk, after, filter);
    found.push(...rows.filter((row) => isSelected(filter.selector, selectableOf(row))));
    after = rows.length < chunk ? undefined : rows.at(-1)!.name;
  }
  const page = found.slice(0, query.limit);
  const last = found.length > page.length ? page.at(-1) : undefined;
  return {
    hosts: page.map((row) => hostView(row, deps)),
    nextCursor: last === undefined ? null : encodeName(last.name),
  };
}
