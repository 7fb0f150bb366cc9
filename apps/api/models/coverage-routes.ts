import { ModelCoverage, ModelParams } from '#contracts/http/models';
import { coverageByLabels, coverageOf, type LabelsCoverage } from '#database/models/coverage-queries';
import { modelByName } from '#database/models/model-queries';
import { pinnedVersions } from '#database/models/pin-queries';
import type { Dependencies } from '../dependencies.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import type { App } from '../server/app-type.ts';
import { MAY_BE_OLD, readList } from '../server/requests/read-list.ts';
import { RequestError } from '../server/errors/request-error.ts';

/** A label with more values tells hosts apart, not groups of them. */
const MAX_VALUES = 20;

export function registerCoverageRoutes(app: App, deps: Dependencies): void {
  app.get(
    '/api/models/:name/coverage',
    {
      ...guardedBy('read'),
      schema: {
        operationId: 'getModelCoverage',
        summary: 'Where a model is: hosts by version, and by label for the current version',
        description: MAY_BE_OLD,
        tags: ['models'],
        security: TOKEN_REQUIRED,
        params: ModelParams,
        response: { 200: ModelCoverage, ...problems(400, 404) },
      },
    },
    async ({ params }, reply) => {
      const model = await modelByName(deps.database, params.name);
      if (model === undefined) throw new RequestError('unknown-model', `there is no model "${params.name}"`);
      return readList(deps, reply, async (database) => {
        const current = (await pinnedVersions(deps.database, model.name)).get(model.name) ?? model.currentVersion;
        const [versions, groups] = await Promise.all([
          coverageOf(database, model.name),
          current === null ? [] : coverageByLabels(database, model.name, current),
        ]);
        return { versions, labels: versions.length === 0 ? [] : byLabel(groups) };
      });
    },
  );
}

/** Labels by key and value, with how many of their hosts have the version. */
function byLabel(groups: readonly LabelsCoverage[]): ModelCoverage['labels'] {
  const counts = new Map<string, Map<string, { hosts: number; ready: number }>>();
  for (const { labels, workerLabels, hosts, ready } of groups) {
    // Labels that were set win over those of the worker.
    for (const [key, value] of Object.entries({ ...workerLabels, ...labels })) {
      const values = counts.get(key) ?? new Map<string, { hosts: number; ready: number }>();
      const seen = values.get(value) ?? { hosts: 0, ready: 0 };
      values.set(value, { hosts: seen.hosts + hosts, ready: seen.ready + ready });
      counts.set(key, values);
    }
  }
  return [...counts]
    .filter(([, values]) => values.size <= MAX_VALUES)
    .flatMap(([key, values]) => [...values].map(([value, of]) => ({ label: `${key}=${value}`, ...of })))
    .sort((a, b) => (a.label < b.label ? -1 : 1));
}
