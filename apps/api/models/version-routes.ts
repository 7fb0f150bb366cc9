import { VersionDetail, VersionParams, ModelParams } from '#contracts/http/models';
import { NewManifest, type Manifest } from '#contracts/manifest';
import { manifestOf, modelByName } from '#database/models/model-queries';
import { publishVersion } from './publish-version.ts';
import type { Dependencies } from '../dependencies.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { Nothing, TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import type { App } from '../server/app-type.ts';
import { versionDetailView } from './view.ts';

const documented = { tags: ['models'], security: TOKEN_REQUIRED };

/** A manifest of 10,000 files with digests and sources fits. */
const MANIFEST_LIMIT_BYTES = 16 * 1024 * 1024;

export function registerVersionRoutes(app: App, deps: Dependencies): void {
  registerPublish(app, deps, '/api/models', 'publishModel', 'Publish a version of a model');
  registerPublish(app, deps, '/api/models/:name/versions', 'publishVersion', 'Publish a version of this model');
  app.get(
    '/api/models/:name/versions/:version',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'getVersion',
        summary: 'One version with its manifest; its `ETag` is the digest of the manifest',
        params: VersionParams,
        response: { 200: VersionDetail, 304: Nothing, ...problems(400, 404) },
      },
    },
    async (request, reply) => {
      const { name, version } = request.params;
      const stored = await manifestOf(deps.database, name, version);
      if (stored === undefined) throw await notThere(deps, name, version);
      const etag = `"${stored.digest}"`;
      void reply.header('etag', etag).header('cache-control', 'private, no-cache');
      if (matches(request.headers['if-none-match'], etag)) return reply.code(304).send();
      return reply.send(versionDetailView(stored));
    },
  );
}

function registerPublish(app: App, deps: Dependencies, url: string, operationId: string, summary: string): void {
  const ofOneModel = url.includes(':name');
  app.post(
    url,
    {
      ...guardedBy('write'),
      bodyLimit: MANIFEST_LIMIT_BYTES,
      schema: {
        ...documented,
        operationId,
        summary,
        description:
          'The body is a manifest. It becomes the current version. The same manifest again answers 200; other content ' +
          'under an existing version answers 409, because versions never change.',
        ...(ofOneModel ? { params: ModelParams } : {}),
        body: NewManifest,
        response: { 200: VersionDetail, 201: VersionDetail, ...problems(400, 409, 413, 415) },
      },
    },
    async (request, reply) => {
      const manifest = request.body;
      if (ofOneModel) refuseOtherName(request.params as { name: string }, manifest);
      const { created, stored } = await publishVersion(deps, manifest);
      const answer = versionDetailView(stored);
      return reply
        .code(created ? 201 : 200)
        .header('location', answer.links.self)
        .send(answer);
    },
  );
}

function refuseOtherName(params: { name: string }, manifest: Manifest): void {
  if (manifest.name === params.name) return;
  const detail = `is "${manifest.name}" and the path says "${params.name}"; they must be the same`;
  throw new RequestError('invalid-request', `/name: ${detail}`, {
    errors: [{ pointer: '/name', detail, value: manifest.name }],
  });
}

async function notThere({ database }: Dependencies, name: string, version: string): Promise<RequestError> {
  if ((await modelByName(database, name)) === undefined)
    return new RequestError('unknown-model', `there is no model "${name}"`);
  return new RequestError('unknown-version', `the model "${name}" has no version "${version}"`);
}

/** @see RFC 9110 section 13.1.2; weak comparison */
const matches = (header: string | undefined, etag: string): boolean =>
  header !== undefined &&
  header.split(',').some((entry) => entry.trim() === '*' || entry.trim().replace(/^W\//, '') === etag);
