import { Rollout } from '#contracts/http/rollouts/rollout';
import {
  GetRolloutQuery,
  ListRolloutEventsQuery,
  ListRolloutHostsQuery,
  RolloutErrors,
  RolloutEvents,
  RolloutHostList,
  RolloutParams,
} from '#contracts/http/rollouts/rollout-lists';
import { errorGroups, listRolloutEvents, listRolloutHosts, rolloutById } from '#database/rollouts/rollout-queries';
import type { RolloutRow } from '#database/rollouts/rollout-row';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { decodeName, encodeName, pageFrom } from '../server/requests/cursor.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import { momentOf, momentOrNull } from '../server/requests/moment.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { whenGone } from '../server/when-gone.ts';
import { awaitRollout } from './await-rollout.ts';
import { etagOf, rolloutHostView } from './view.ts';

export const unknownRollout = (id: string): RequestError =>
  new RequestError('unknown-rollout', `there is no rollout ${id}; GET /api/rollouts lists them`);

const COMMON = { tags: ['rollouts'], security: TOKEN_REQUIRED, params: RolloutParams };

export function registerOneRolloutRoutes(app: App, deps: Dependencies): void {
  registerGet(app, deps);
  registerHosts(app, deps);
  registerErrors(app, deps);
  registerEvents(app, deps);
}

function registerGet(app: App, deps: Dependencies): void {
  app.get(
    '/api/rollouts/:id',
    {
      ...guardedBy('read'),
      schema: {
        ...COMMON,
        operationId: 'getRollout',
        summary: 'One rollout; `?wait=55s` answers at the next change',
        querystring: GetRolloutQuery,
        response: { 200: Rollout, ...problems(400, 404) },
      },
    },
    async (request, reply) => {
      const seen = await awaitRollout(deps, request.params.id, request.query, whenGone(reply));
      if (seen === undefined) throw unknownRollout(request.params.id);
      return reply.header('etag', etagOf(seen.row)).send(seen.view);
    },
  );
}

export async function mustFind({ database }: Dependencies, id: string): Promise<RolloutRow> {
  const row = await rolloutById(database, id);
  if (row === undefined) throw unknownRollout(id);
  return row;
}

function registerHosts(app: App, deps: Dependencies): void {
  app.get(
    '/api/rollouts/:id/hosts',
    {
      ...guardedBy('read'),
      schema: {
        ...COMMON,
        operationId: 'listRolloutHosts',
        summary: 'Where each host of a rollout stands, by name',
        querystring: ListRolloutHostsQuery,
        response: { 200: RolloutHostList, ...problems(400, 404) },
      },
    },
    async ({ params, query }) => {
      const row = await mustFind(deps, params.id);
      const { state, reason, q, cursor, limit } = query;
      const afterName = cursor === undefined ? '' : decodeName(cursor);
      const found = await listRolloutHosts(deps.database, row.id, { states: state, reason, text: q, afterName, limit });
      const { rows, nextCursor } = pageFrom(found, limit, ({ host }) => encodeName(host));
      return { hosts: rows.map((host) => rolloutHostView(host, row)), nextCursor };
    },
  );
}

function registerErrors(app: App, deps: Dependencies): void {
  app.get(
    '/api/rollouts/:id/errors',
    {
      ...guardedBy('read'),
      schema: {
        ...COMMON,
        operationId: 'listRolloutErrors',
        summary: 'Why hosts of a rollout failed: one entry for each failure class',
        response: { 200: RolloutErrors, ...problems(400, 404) },
      },
    },
    async ({ params }) => {
      const { id } = await mustFind(deps, params.id);
      const groups = await errorGroups(deps.database, id);
      return {
        errors: groups.map((group) => ({
          ...group,
          firstAt: momentOrNull(group.firstAt),
          lastAt: momentOrNull(group.lastAt),
        })),
      };
    },
  );
}

function registerEvents(app: App, deps: Dependencies): void {
  app.get(
    '/api/rollouts/:id/events',
    {
      ...guardedBy('read'),
      schema: {
        ...COMMON,
        operationId: 'listRolloutEvents',
        summary: 'Every move of a rollout and of its hosts, oldest first, after a sequence',
        querystring: ListRolloutEventsQuery,
        response: { 200: RolloutEvents, ...problems(400, 404) },
      },
    },
    async ({ params, query }) => {
      const { id } = await mustFind(deps, params.id);
      const rows = await listRolloutEvents(deps.database, id, query.after, query.limit);
      return {
        events: rows.map(({ sequence, at, host, event, fromState, toState, reason, actor }) => ({
          ...{ sequence, at: momentOf(at), host, event, from: fromState, to: toState, message: reason, actor },
        })),
      };
    },
  );
}
