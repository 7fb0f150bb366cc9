import { RolloutParams } from '#contracts/http/rollouts/rollout-lists';
import { RolloutHostStates, RolloutSources } from '#contracts/http/rollouts/rollout-overviews';
import { rolloutHostStates, rolloutSources } from '#database/rollouts/overview-queries';
import type { Dependencies } from '../dependencies.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import type { App } from '../server/app-type.ts';
import { mustFind } from './one-rollout-routes.ts';

const COMMON = { tags: ['rollouts'], security: TOKEN_REQUIRED, params: RolloutParams };

/** A rollout at one look: all of its hosts, and all of its sources. */
export function registerRolloutOverviews(app: App, deps: Dependencies): void {
  app.get(
    '/api/rollouts/:id/host-states',
    {
      ...guardedBy('read'),
      schema: {
        ...COMMON,
        operationId: 'listRolloutHostStates',
        summary: 'The state of every host of a rollout, and nothing else of it',
        response: { 200: RolloutHostStates, ...problems(400, 404) },
      },
    },
    async ({ params }) => {
      const { id } = await mustFind(deps, params.id);
      return { hosts: await rolloutHostStates(deps.database, id) };
    },
  );
  app.get(
    '/api/rollouts/:id/sources',
    {
      ...guardedBy('read'),
      schema: {
        ...COMMON,
        operationId: 'listRolloutSources',
        summary: 'Where the bytes of a rollout came from',
        response: { 200: RolloutSources, ...problems(400, 404) },
      },
    },
    async ({ params }) => ({ sources: await rolloutSources(deps.database, await mustFind(deps, params.id)) }),
  );
}
