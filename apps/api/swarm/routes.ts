import { tryParseCid } from '#content/cid/cid';
import { SwarmParams } from '#contracts/swarm';
import { ListSwarmsQuery, SwarmList, SwarmView } from '#contracts/swarm-view';
import { listSwarms } from '#queue/swarm/list-swarms';
import { readSwarm } from '#queue/swarm/read-swarm';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { momentOf } from '../server/requests/moment.ts';
import { filesOfCids } from './content-names.ts';
import { swarmView } from './view.ts';

/** Swarms for people. */
export function registerSwarmRoutes(app: App, deps: Dependencies): void {
  app.get(
    '/api/swarm/:cid',
    {
      ...guardedBy('read'),
      schema: {
        operationId: 'getSwarm',
        summary: 'Who has which pieces of a file, who fetches them from the origin, and what holds the swarm up',
        description: 'Of the hosts that announced the file lately; 404 without one.',
        tags: ['swarm'],
        security: TOKEN_REQUIRED,
        params: SwarmParams,
        response: { 200: SwarmView, ...problems(400, 404) },
      },
    },
    async ({ params }) => {
      const cid = cidOf(params.cid);
      const swarm = await readSwarm(deps.queues.redis, deps.prefix, cid);
      if (swarm === undefined)
        throw new RequestError('unknown-cid', `no host fetches or gives ${cid} at the moment, as far as it announced`);
      return swarmView(cid, swarm, (await filesOfCids(deps.database, [cid]))(cid));
    },
  );
  registerList(app, deps);
}

/** @throws RequestError for what names no file */
function cidOf(text: string): string {
  const parsed = tryParseCid(text);
  if (parsed !== undefined && parsed.path.length === 0) return parsed.cid;
  const detail = 'write the root CID of a file, such as bafybei… or Qm…';
  const errors = [{ pointer: '/cid', detail, value: text }];
  throw new RequestError('invalid-request', `"${text}" names no file: ${detail}`, { errors });
}

function registerList(app: App, deps: Dependencies): void {
  app.get(
    '/api/swarms',
    {
      ...guardedBy('read'),
      schema: {
        operationId: 'listSwarms',
        summary: 'Files that hosts fetch or give now, those that most hosts fetch first',
        tags: ['swarm'],
        security: TOKEN_REQUIRED,
        querystring: ListSwarmsQuery,
        response: { 200: SwarmList, ...problems(400) },
      },
    },
    async ({ query: { limit } }) => {
      const all = await listSwarms(deps.queues.redis, deps.prefix);
      const shown = all.slice(0, limit);
      const filesOf = await filesOfCids(
        deps.database,
        shown.map(({ cid }) => cid),
      );
      return {
        swarms: shown.map(({ cid, sizeBytes, hosts, leechers, originLeases, originBytes, announcedAt }) => ({
          ...{ cid, files: filesOf(cid), sizeBytes, hosts, leechers, leases: originLeases },
          ...{ originCopies: originBytes / sizeBytes, announcedAt: momentOf(new Date(announcedAt)) },
        })),
        total: all.length,
      };
    },
  );
}
