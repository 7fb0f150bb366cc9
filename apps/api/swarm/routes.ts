import { SwarmParams, SwarmView } from '#contracts/swarm';
import { readSwarm } from '#queue/swarm/read-swarm';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { swarmView } from './view.ts';

/** The swarm of one file, for people. */
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
    async ({ params: { cid } }) => {
      const swarm = await readSwarm(deps.queues.redis, deps.prefix, cid);
      if (swarm === undefined)
        throw new RequestError('unknown-cid', `no host fetches or gives ${cid} at the moment, as far as it announced`);
      return swarmView(cid, swarm);
    },
  );
}
