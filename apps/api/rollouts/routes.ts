import { CreateRolloutBody, CreateRolloutHeaders, CreateRolloutQuery } from '#contracts/http/rollouts/create-rollout';
import { Rollout, RolloutPlan } from '#contracts/http/rollouts/rollout';
import { ListRolloutsQuery, RolloutList } from '#contracts/http/rollouts/rollout-lists';
import type { Database } from '#database/sql/connect';
import { hostGroups } from '#database/rollouts/host-counts';
import { listRollouts } from '#database/rollouts/rollout-queries';
import { originSums } from '#database/rollouts/rollout-swarms';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { decodeCursor, encodeCursor, pageFrom } from '../server/requests/cursor.ts';
import { TOKEN_REQUIRED, guardedBy, guardedWithLimitsBy, problems } from '../server/describe.ts';
import { MAY_BE_OLD, readList } from '../server/requests/read-list.ts';
import { seeRollout } from './await-rollout.ts';
import { requestRollout, resolveFor } from './create-rollout.ts';
import { registerOneRolloutRoutes } from './one-rollout-routes.ts';
import { registerRolloutOverviews } from './overview-routes.ts';
import { planRollout } from './plan.ts';
import { registerRolloutActions } from './action-routes.ts';
import { etagOf, rolloutView } from './view.ts';

export function registerRolloutRoutes(app: App, deps: Dependencies): void {
  registerCreate(app, deps);
  registerList(app, deps);
  registerOneRolloutRoutes(app, deps);
  registerRolloutOverviews(app, deps);
  registerRolloutActions(app, deps);
}

function registerCreate(app: App, deps: Dependencies): void {
  app.post(
    '/api/rollouts',
    {
      ...guardedWithLimitsBy('write'),
      schema: {
        operationId: 'createRollout',
        summary: 'Bring model versions to the hosts that a selector matches, wave by wave',
        description:
          'The hosts are those that match now. A request that is equal to one whose rollout is under way answers 200 with that ' +
          'rollout; so does a repeat with the same `Idempotency-Key`, with 201 and the rollout as it stands. `?dryRun=true` answers 200 ' +
          'with a plan.',
        tags: ['rollouts'],
        security: TOKEN_REQUIRED,
        body: CreateRolloutBody,
        querystring: CreateRolloutQuery,
        headers: CreateRolloutHeaders,
        response: { 200: Rollout.or(RolloutPlan), 201: Rollout, ...problems(400, 404, 409, 413, 415, 422) },
      },
    },
    async (request, reply) => {
      if (request.query.dryRun)
        return reply.code(200).send(await planRollout(deps, await resolveFor(deps, request.body, request.caller!)));
      const { made, id } = await requestRollout(deps, request.body, request.caller!, {
        key: request.headers['idempotency-key'],
        traceparent: request.span?.traceparent,
      });
      const { row, view } = (await seeRollout(deps, id))!;
      void reply.header('location', view.links.self).header('etag', etagOf(row));
      return reply.code(made === 'existing' ? 200 : 201).send(view);
    },
  );
}

function registerList(app: App, deps: Dependencies): void {
  app.get(
    '/api/rollouts',
    {
      ...guardedBy('read'),
      schema: {
        operationId: 'listRollouts',
        summary: 'List rollouts, newest first',
        description: MAY_BE_OLD,
        tags: ['rollouts'],
        security: TOKEN_REQUIRED,
        querystring: ListRolloutsQuery,
        response: { 200: RolloutList, ...problems(400) },
      },
    },
    async ({ query }, reply) => readList(deps, reply, (database) => listView(database, query, deps.now().getTime())),
  );
}

async function listView(database: Database, query: ListRolloutsQuery, now: number): Promise<RolloutList> {
  const { state, model, limit, cursor } = query;
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  const found = await listRollouts(database, { states: state, model, limit, after });
  const { rows, nextCursor } = pageFrom(found, limit, encodeCursor);
  const ids = rows.map(({ id }) => id);
  const [groups, origins] = await Promise.all([hostGroups(database, ids), originSums(database, ids)]);
  return {
    rollouts: rows.map((row) => {
      const isOwn = ({ rolloutId }: { readonly rolloutId: string }): boolean => rolloutId === row.id;
      return rolloutView(row, { groups: groups.filter(isOwn), origin: origins.find(isOwn) }, now);
    }),
    nextCursor,
  };
}
