import { Download, DownloadDetail, DownloadParams, GetDownloadQuery, LimitBody } from '#contracts/http/downloads';
import type { FastifyRequest } from 'fastify';
import { noteForAudit } from '../access/audit/audit-writes.ts';
import { refuseOutsideLimits } from '../access/token-limits.ts';
import { downloadById } from '#database/downloads/download-queries';
import { triesOf } from '#database/history/metrics-queries';
import { tagOf, type DownloadRow } from '#database/downloads/download-row';
import { cancel, limit, pause, resume, unknownDownload, type OnlyIf } from './act-on-download.ts';
import { awaitDownload } from './await-download.ts';
import type { Dependencies } from '../dependencies.ts';
import { whenGone } from '../server/when-gone.ts';
import { ifMatchOf } from '../server/requests/if-match.ts';
import { TOKEN_REQUIRED, guardedBy, guardedWithLimitsBy, problems } from '../server/describe.ts';
import type { App } from '../server/app-type.ts';
import { downloadView } from './view.ts';
import { tryView } from '../metrics/try-view.ts';

const MAX_TRIES_SHOWN = 200;
const IF_MATCH =
  'With `If-Match` it is refused when the download stands elsewhere since its `ETag` was read; progress does not change that.';

const etagOf = (row: DownloadRow): string => `"${tagOf(row)}"`;

export function registerOneDownloadRoutes(app: App, deps: Dependencies): void {
  registerGet(app, deps);
  registerAction(app, deps, 'resume', resume, 'Go on, with a new budget of attempts');
  registerAction(app, deps, 'pause', pause, 'Hold it until it is resumed; what is on disk stays');
  registerAction(app, deps, 'cancel', cancel, 'End the wish for this file on this host');
  registerLimit(app, deps);
}

function registerGet(app: App, deps: Dependencies): void {
  app.get(
    '/api/downloads/:id',
    {
      ...guardedBy('read'),
      schema: {
        operationId: 'getDownload',
        summary: 'One download with its tries; `?wait=55s` answers at the next change',
        tags: ['downloads'],
        security: TOKEN_REQUIRED,
        params: DownloadParams,
        querystring: GetDownloadQuery,
        response: { 200: DownloadDetail, ...problems(400, 404) },
      },
    },
    async (request, reply) => {
      const row = await awaitDownload(deps, request.params.id, request.query, whenGone(reply));
      if (row === undefined) throw unknownDownload(request.params.id);
      const answer = await detailView(deps, row);
      return reply.header('etag', etagOf(row)).send(answer);
    },
  );
}

async function detailView(deps: Dependencies, row: DownloadRow): Promise<DownloadDetail> {
  const tries = await triesOf(deps.database, row, MAX_TRIES_SHOWN);
  return { ...downloadView(row, deps), tries: tries.map(tryView).reverse() };
}

function registerAction(
  app: App,
  deps: Dependencies,
  name: 'resume' | 'pause' | 'cancel',
  act: (deps: Dependencies, id: string, onlyIf: OnlyIf) => Promise<DownloadRow>,
  summary: string,
): void {
  app.post(
    `/api/downloads/:id/${name}`,
    {
      ...guardedWithLimitsBy('write'),
      schema: {
        operationId: `${name}Download`,
        summary,
        description: `Repeating it changes nothing. ${IF_MATCH}`,
        tags: ['downloads'],
        security: TOKEN_REQUIRED,
        params: DownloadParams,
        response: { 200: Download, ...problems(400, 404, 409, 412) },
      },
    },
    async (request, reply) => {
      const before = await mayChange(deps, request, request.params.id);
      const row = await act(deps, request.params.id, { onlyIfTag: ifMatchOf(request) });
      noteForAudit(request, { before: auditedOf(before), after: auditedOf(row) });
      return reply.header('etag', etagOf(row)).send(downloadView(row, deps));
    },
  );
}

function registerLimit(app: App, deps: Dependencies): void {
  app.post(
    '/api/downloads/:id/limit',
    {
      ...guardedWithLimitsBy('write'),
      schema: {
        operationId: 'limitDownload',
        summary: 'Change the most bytes per second, at once where it runs',
        description: IF_MATCH,
        tags: ['downloads'],
        security: TOKEN_REQUIRED,
        params: DownloadParams,
        body: LimitBody,
        response: { 200: Download, ...problems(400, 404, 412) },
      },
    },
    async (request, reply) => {
      await mayChange(deps, request, request.params.id);
      const onlyIf = { onlyIfTag: ifMatchOf(request) };
      const row = await limit(deps, request.params.id, request.body.bytesPerSecond, onlyIf);
      return reply.header('etag', etagOf(row)).send(downloadView(row, deps));
    },
  );
}

/**
 * @returns the download before the change
 * @throws RequestError `unknown-download`; `forbidden` where it is outside the limits of the token
 */
async function mayChange({ database }: Dependencies, request: FastifyRequest, id: string): Promise<DownloadRow> {
  const row = await downloadById(database, id);
  if (row === undefined) throw unknownDownload(id);
  // A group of files that a request described itself has a version of this form, and is no model.
  const model = row.version?.startsWith('inline-') ? null : row.model;
  await refuseOutsideLimits(database, request.caller!, () => ({ models: [model], hosts: [row.host] }));
  return row;
}

const auditedOf = ({ status, generation, pauseReason }: DownloadRow): object => ({ status, generation, pauseReason });
