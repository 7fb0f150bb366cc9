import { Model, ModelDetail, ModelList, ModelParams, PinBody, VersionList } from '#contracts/http/models';
import { listModels, listVersions, modelByName } from '#database/models/model-queries';
import type { ModelRow } from '#database/models/model-queries';
import { pinModel, pinnedVersions, unpinModel } from '#database/models/pin-queries';
import { makeCheckDue } from '#database/models/version-schedule';
import { outdatedModels } from '#database/models/version-queries';
import { noteForAudit } from '../access/audit/audit-writes.ts';
import type { Dependencies } from '../dependencies.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import type { App } from '../server/app-type.ts';
import { registerCoverageRoutes } from './coverage-routes.ts';
import { modelView, versionView } from './view.ts';

const documented = { tags: ['models'], security: TOKEN_REQUIRED };

export function registerModelRoutes(app: App, deps: Dependencies): void {
  registerReading(app, deps);
  registerCoverageRoutes(app, deps);
  registerPinning(app, deps);
  registerCheck(app, deps);
}

function registerReading(app: App, deps: Dependencies): void {
  app.get(
    '/api/models',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'listModels',
        summary: 'List models',
        response: { 200: ModelList, ...problems() },
      },
    },
    async () => ({ models: await modelViews(deps, await listModels(deps.database)) }),
  );
  app.get(
    '/api/models/:name',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'getModel',
        summary: 'One model with its versions, newest first',
        params: ModelParams,
        response: { 200: ModelDetail, ...problems(400, 404) },
      },
    },
    async (request) => {
      const view = await modelOf(deps, request.params.name);
      const versions = await listVersions(deps.database, view.name);
      return { ...view, versions: versions.map(versionView) };
    },
  );
  app.get(
    '/api/models/:name/versions',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'listVersions',
        summary: 'Versions of a model, newest first',
        params: ModelParams,
        response: { 200: VersionList, ...problems(400, 404) },
      },
    },
    async (request) => {
      const { name } = await modelOf(deps, request.params.name);
      return { versions: (await listVersions(deps.database, name)).map(versionView) };
    },
  );
}

function registerPinning(app: App, deps: Dependencies): void {
  app.post(
    '/api/models/:name/pin',
    {
      ...guardedBy('write'),
      schema: {
        ...documented,
        operationId: 'pinModel',
        summary: 'Hold a model at one version, whatever is published later',
        params: ModelParams,
        body: PinBody,
        response: { 200: Model, ...problems(400, 404) },
      },
    },
    async (request) => {
      const { name, pinnedVersion: before } = await modelOf(deps, request.params.name);
      const { version } = request.body;
      if (!(await pinModel(deps.database, name, version, deps.now())))
        throw new RequestError('unknown-version', `the model "${name}" has no version "${version}"`);
      noteForAudit(request, { before: { pinnedVersion: before }, after: { pinnedVersion: version } });
      return modelOf(deps, name);
    },
  );
  app.post(
    '/api/models/:name/unpin',
    {
      ...guardedBy('write'),
      schema: {
        ...documented,
        operationId: 'unpinModel',
        summary: 'Let the newest version be the current one again',
        params: ModelParams,
        response: { 200: Model, ...problems(400, 404) },
      },
    },
    async (request) => {
      const { name, pinnedVersion: before } = await modelOf(deps, request.params.name);
      await unpinModel(deps.database, name);
      noteForAudit(request, { before: { pinnedVersion: before }, after: { pinnedVersion: null } });
      return modelOf(deps, name);
    },
  );
}

function registerCheck(app: App, deps: Dependencies): void {
  app.post(
    '/api/models/:name/check',
    {
      ...guardedBy('write'),
      schema: {
        ...documented,
        operationId: 'checkModel',
        summary: 'Ask the origin of a model now whether it has a newer version',
        description:
          'A worker asks; the answer appears in `newerVersion` of the model and in `GET /api/status`. Nothing is downloaded.',
        params: ModelParams,
        response: { 202: Model, ...problems(400, 404) },
      },
    },
    async (request, reply) => {
      const model = await modelOf(deps, request.params.name);
      await makeCheckDue(deps.database, model.name, deps.now());
      return reply.code(202).send(model);
    },
  );
}

async function modelOf(deps: Dependencies, name: string): Promise<Model> {
  const row = await modelByName(deps.database, name);
  const [view] = row === undefined ? [] : await modelViews(deps, [row]);
  if (view === undefined) throw new RequestError('unknown-model', `there is no model "${name}"`);
  return view;
}

async function modelViews({ database }: Dependencies, rows: readonly ModelRow[]): Promise<Model[]> {
  const [only] = rows.length === 1 ? rows : [];
  const [pins, outdated] = await Promise.all([
    pinnedVersions(database, only?.name),
    outdatedModels(database, only?.name),
  ]);
  const newer = new Map(outdated.map((flag) => [flag.model, flag.newer]));
  return rows.map((row) => modelView(row, { pinned: pins.get(row.name), newer: newer.get(row.name) }));
}
