import { RolloutParams } from '#contracts/http/rollouts/rollout-lists';
import { RolloutHostStates, RolloutSources } from '#contracts/http/rollouts/rollout-overviews';
import { RolloutSwarms } from '#contracts/http/rollouts/rollout-swarms';
import { rolloutHostStates, rolloutSources } from '#database/rollouts/overview-queries';
import { originSums, rolloutSwarms } from '#database/rollouts/rollout-swarms';
import type { RolloutRow } from '#database/rollouts/rollout-row';
import type { Dependencies } from '../dependencies.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import type { App } from '../server/app-type.ts';
import { momentOf } from '../server/requests/moment.ts';
import { filesOfCids } from '../swarm/content-names.ts';
import { mustFind } from './one-rollout-routes.ts';
import { copiesOf } from './view.ts';

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
  registerSwarms(app, deps);
}

function registerSwarms(app: App, deps: Dependencies): void {
  app.get(
    '/api/rollouts/:id/swarms',
    {
      ...guardedBy('read'),
      schema: {
        ...COMMON,
        operationId: 'listRolloutSwarms',
        summary: 'How the hosts of a rollout fetched its files from each other, also after its end',
        response: { 200: RolloutSwarms, ...problems(400, 404) },
      },
    },
    async ({ params }) => swarmsView(deps, await mustFind(deps, params.id)),
  );
}

async function swarmsView({ database }: Dependencies, { id, spec }: RolloutRow): Promise<RolloutSwarms> {
  const [rows, [origin]] = await Promise.all([rolloutSwarms(database, id), originSums(database, [id])]);
  const filesOf = await filesOfCids(
    database,
    rows.map(({ cid }) => cid),
  );
  return {
    originCopies: copiesOf(spec, origin),
    swarms: rows.map(({ cid, sizeBytes, hosts, originBytes, updatedAt, numbers: { sites, ...numbers } }) => ({
      ...{ cid, files: filesOf(cid), sizeBytes, hosts, ...numbers },
      originCopies: originBytes / sizeBytes,
      sites: sites.map(({ bytes, ...site }) => ({ ...site, copies: bytes / sizeBytes })),
      timesBound: numbers.boundMs ? numbers.elapsedMs / numbers.boundMs : null,
      updatedAt: momentOf(updatedAt),
    })),
  };
}
