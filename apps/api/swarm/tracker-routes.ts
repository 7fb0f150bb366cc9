import { AnnounceBody, Announced, SwarmKey } from '#contracts/swarm';
import type { RequestLimits } from '../access/request-limits.ts';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, problems } from '../server/describe.ts';
import { Announcers } from './announcer.ts';
import { Tracker } from './tracker.ts';

export const ANNOUNCE_PATH = '/api/swarm/announce';

const common = { tags: ['swarm'], security: TOKEN_REQUIRED };

/** What workers ask with the tokens of their hosts. */
export function registerTrackerRoutes(app: App, deps: Dependencies, limits: RequestLimits): void {
  const [tracker, announcers] = [new Tracker(deps), new Announcers(deps, limits)];
  app.post(
    ANNOUNCE_PATH,
    {
      schema: {
        ...common,
        operationId: 'announceToSwarms',
        summary: 'Say what a host has and fetches; learn other hosts, and which pieces to fetch from the origin',
        description:
          'With the worker token of the host. All files that the host fetches or gives stand in each announce; a repeated one changes nothing. A host ' +
          'that is not heard of for three intervals is gone, and its leases are given to others.',
        body: AnnounceBody,
        response: { 200: Announced, ...problems(400) },
      },
    },
    async (request, reply) => tracker.announce(await announcers.of(request, reply), request.body),
  );
  app.get(
    '/api/swarm/key',
    {
      schema: {
        ...common,
        operationId: 'getSwarmKey',
        summary: 'The key with which hosts check the peer tokens of others',
        description: 'With the worker token of a host. The key stays the same.',
        response: { 200: SwarmKey, ...problems() },
      },
    },
    async (request, reply) => {
      await announcers.of(request, reply);
      return { publicKey: await tracker.publicKey() };
    },
  );
}
