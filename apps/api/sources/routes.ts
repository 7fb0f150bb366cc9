import type { FastifyRequest } from 'fastify';
import {
  DisableSourceBody,
  EnableSourceBody,
  ListedSource,
  SourceList,
  SourceParams,
  SourceTest,
} from '#contracts/http/sources';
import { disableSource, enableSource } from '#database/sources/source-queries';
import { noteForAudit } from '../access/audit/audit-writes.ts';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { allSources } from './all-sources.ts';
import { registerSourceOrders } from './order-routes.ts';
import { tellWorkersOrWarn } from './tell-workers.ts';
import { testSource } from './test-source.ts';
import { sourceChanged } from './view.ts';

const documented = { tags: ['sources'], security: TOKEN_REQUIRED };

/** Where files come from: how each source does, in which order they are asked, and switches for them. */
export function registerSourceRoutes(app: App, deps: Dependencies): void {
  registerReads(app, deps);
  registerSwitches(app, deps);
  registerSourceOrders(app, deps);
  app.post(
    '/api/sources/:id/test',
    {
      ...guardedBy('write'),
      schema: {
        ...documented,
        operationId: 'testSource',
        summary: 'One request of the API process to the source',
        description: 'Also to one that is disabled. Workers may reach other addresses than the API process does.',
        params: SourceParams,
        response: { 200: SourceTest, ...problems(400, 404) },
      },
    },
    async ({ params: { id } }) => testSource(deps, await mustFind(deps, id)),
  );
}

function registerReads(app: App, deps: Dependencies): void {
  app.get(
    '/api/sources',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'listSources',
        summary: 'All sources that workers use, and how they do',
        description:
          'The order is that of the fleet as a whole; each worker orders by what it measures itself. The order that an admin set for a layer ' +
          'goes before both.',
        response: { 200: SourceList, ...problems() },
      },
    },
    async () => ({ sources: await allSources(deps) }),
  );
  app.get(
    '/api/sources/:id',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'getSource',
        summary: 'One source',
        params: SourceParams,
        response: { 200: ListedSource, ...problems(400, 404) },
      },
    },
    async ({ params: { id } }) => mustFind(deps, id),
  );
}

function registerSwitches(app: App, deps: Dependencies): void {
  app.post(
    '/api/sources/:id/disable',
    {
      ...guardedBy('write'),
      schema: {
        ...documented,
        operationId: 'disableSource',
        summary: 'Let no worker ask the source, until it is enabled or for some time',
        description:
          'Workers that run stop asking it within seconds; what they fetch from it at that moment they finish. Repeating it changes note and end.',
        params: SourceParams,
        body: DisableSourceBody,
        response: { 200: ListedSource, ...problems(400, 404) },
      },
    },
    async (request) => {
      const { note, expiresIn } = request.body;
      const { origin } = await before(deps, request);
      const at = deps.now();
      const until = expiresIn === undefined ? null : new Date(at.getTime() + expiresIn);
      await disableSource(deps.database, { origin, note, by: request.caller!.name, at, until });
      return changed(deps, request);
    },
  );
  app.post(
    '/api/sources/:id/enable',
    {
      ...guardedBy('write'),
      schema: {
        ...documented,
        operationId: 'enableSource',
        summary: 'Let workers ask the source again',
        description: 'Repeating it changes nothing.',
        params: SourceParams,
        body: EnableSourceBody,
        response: { 200: ListedSource, ...problems(400, 404) },
      },
    },
    async (request) => {
      const { origin } = await before(deps, request);
      await enableSource(deps.database, origin);
      return changed(deps, request);
    },
  );
}

type SourceRequest = FastifyRequest<{ Params: { id: string } }>;

async function before(deps: Dependencies, request: SourceRequest): Promise<ListedSource> {
  const source = await mustFind(deps, request.params.id);
  noteForAudit(request, {
    target: `sources/${source.origin}`,
    before: { state: source.state, disabled: source.disabled },
  });
  return source;
}

/** Tells workers and clients. */
async function changed(deps: Dependencies, request: SourceRequest): Promise<ListedSource> {
  const source = await mustFind(deps, request.params.id);
  noteForAudit(request, { after: { state: source.state, disabled: source.disabled } });
  deps.changes.tell({ sources: [sourceChanged(source)] });
  await tellWorkersOrWarn(deps);
  return source;
}

/** A source of several layers or kinds is switched and tested as one: the first stands for all. */
async function mustFind(deps: Dependencies, id: string): Promise<ListedSource> {
  const found = (await allSources(deps)).find((source) => source.id === id);
  if (found !== undefined) return found;
  const origin = Buffer.from(id, 'base64url').toString('utf8');
  throw new RequestError(
    'unknown-source',
    `no worker has used or is configured with "${origin.slice(0, 100)}"; GET /api/sources lists them`,
  );
}
