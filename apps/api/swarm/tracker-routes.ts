import type { FastifyReply, FastifyRequest } from 'fastify';
import { AnnounceBody, Announced, SwarmKey } from '#contracts/swarm';
import type { RequestLimits } from '../access/request-limits.ts';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, problems } from '../server/describe.ts';
import { Announcers, type Announcer } from './announcer.ts';
import { Tracker } from './tracker.ts';

declare module 'fastify' {
  interface FastifyRequest {
    announcer: Announcer | null;
  }
}

export const ANNOUNCE_PATH = '/api/swarm/announce';

const common = { tags: ['swarm'], security: TOKEN_REQUIRED };

/** What workers ask with the tokens of their hosts. */
export function registerTrackerRoutes(app: App, deps: Dependencies, limits: RequestLimits): void {
  const [tracker, announcers] = [new Tracker(deps), new Announcers(deps, limits)];
  app.decorateRequest('announcer', null);
  // Before the body is read.
  const onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    request.announcer = await announcers.of(request, reply);
  };
  app.post(
    ANNOUNCE_PATH,
    {
      onRequest,
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
    async (request) => tracker.announce(request.announcer!, request.body),
  );
  app.get(
    '/api/swarm/key',
    {
      onRequest,
      schema: {
        ...common,
        operationId: 'getSwarmKey',
        summary: 'The key with which hosts check the peer tokens of others',
        description: 'With the worker token of a host. The key stays the same.',
        response: { 200: SwarmKey, ...problems() },
      },
    },
    async () => ({ publicKey: await tracker.publicKey() }),
  );
}
