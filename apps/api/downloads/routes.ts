import { DownloadErrors, DownloadErrorsQuery } from '#contracts/http/download-errors';
import {
  CreateDownloadsBody,
  CreateDownloadsQuery,
  type Download,
  DownloadList,
  DownloadRequest,
  ListDownloadsQuery,
} from '#contracts/http/downloads';
import type { DownloadRow } from '#database/downloads/download-row';
import type { Database } from '#database/sql/connect';
import { downloadsById, listDownloads } from '#database/downloads/download-queries';
import { downloadErrorGroups, type DownloadErrorGroup } from '#database/downloads/error-groups';
import { refuseOutsideLimits, type Deployed } from '../access/token-limits.ts';
import { createDownloads } from './create-downloads.ts';
import type { CreatedDownloads } from './create-downloads.ts';
import type { Dependencies } from '../dependencies.ts';
import { whenGone } from '../server/when-gone.ts';
import { TOKEN_REQUIRED, guardedBy, guardedWithLimitsBy, problems } from '../server/describe.ts';
import type { App } from '../server/app-type.ts';
import { decodeCursor, encodeCursor } from '../server/requests/cursor.ts';
import { MAY_BE_OLD, readList } from '../server/requests/read-list.ts';
import { momentOf } from '../server/requests/moment.ts';
import { downloadView } from './view.ts';

export function registerDownloadRoutes(app: App, deps: Dependencies): void {
  registerCreate(app, deps);
  registerList(app, deps);
  registerErrors(app, deps);
}

function registerCreate(app: App, deps: Dependencies): void {
  app.post(
    '/api/downloads',
    {
      ...guardedWithLimitsBy('write'),
      schema: {
        operationId: 'createDownloads',
        summary: 'Ask for files on hosts',
        description:
          'Files of a published model version (`model`), or files described here (`files`). Repeating a request ' +
          'shares what is on its way; a host that has the file says so, and nothing is transferred twice. `Location` ' +
          'leads to the download, or to the list of them.',
        tags: ['downloads'],
        security: TOKEN_REQUIRED,
        body: CreateDownloadsBody,
        querystring: CreateDownloadsQuery,
        response: { 202: DownloadRequest, ...problems(400, 404, 413, 415) },
      },
    },
    async (request, reply) => {
      await refuseOutsideLimits(deps.database, request.caller!, () => deployedBy(request.body));
      const made = await createDownloads(deps, request.body, request.query, {
        signal: whenGone(reply),
        traceparent: request.span?.traceparent,
      });
      const answer = requestView(deps, made);
      return reply.code(202).header('location', answer.links.self).send(answer);
    },
  );
}

const deployedBy = (body: CreateDownloadsBody): Deployed => ({
  models: ['model' in body ? body.model : null],
  hosts: body.hosts ?? [body.host ?? null],
});

function requestView(deps: Dependencies, { order, rows, count, created }: CreatedDownloads): DownloadRequest {
  const downloads = rows?.map((row) => downloadView(row, deps));
  return {
    request: {
      model: order.model?.name ?? null,
      version: order.model?.version ?? null,
      hosts: order.hosts.filter((host) => host !== null),
      created,
      existing: count - created,
    },
    downloads: downloads ?? [],
    links: { self: linkTo(order, downloads) },
  };
}

/** Where all downloads of a request can be seen. */
function linkTo(order: CreatedDownloads['order'], downloads: readonly Download[] | undefined): string {
  if (downloads?.length === 1) return downloads[0]!.links.self;
  if (downloads !== undefined) return `/api/downloads?id=${downloads.map(({ id }) => id).join(',')}`;
  const [host] = order.hosts;
  const query = new URLSearchParams({
    ...(order.model === undefined ? {} : { model: order.model.name, version: order.model.version }),
    ...(order.hosts.length === 1 && host ? { host } : {}),
  });
  return `/api/downloads?${query}`;
}

function registerList(app: App, deps: Dependencies): void {
  app.get(
    '/api/downloads',
    {
      ...guardedBy('read'),
      schema: {
        operationId: 'listDownloads',
        summary: 'List downloads, newest first',
        description: MAY_BE_OLD,
        tags: ['downloads'],
        security: TOKEN_REQUIRED,
        querystring: ListDownloadsQuery,
        response: { 200: DownloadList, ...problems(400) },
      },
    },
    async ({ query }, reply) =>
      query.id === undefined
        ? readList(deps, reply, (database) => listView(deps, database, query))
        : namedView(deps, query.id),
  );
}

/** Downloads that are asked for by name are those of a request just made: they are read where they were written. */
async function namedView(deps: Dependencies, ids: readonly string[]): Promise<DownloadList> {
  const rows = await downloadsById(deps.database, ids);
  return { downloads: rows.map((row) => downloadView(row, deps)), nextCursor: null, links: { next: null } };
}

async function listView(deps: Dependencies, database: Database, query: ListDownloadsQuery): Promise<DownloadList> {
  const viewed = (row: DownloadRow): Download => downloadView(row, deps);
  const { cursor, limit, status, cid, model, version, host } = query;
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  const page = await listDownloads(database, { status, cid, model, version, host, limit, after });
  const nextCursor = page.next === undefined ? null : encodeCursor(page.next);
  return {
    downloads: page.rows.map(viewed),
    nextCursor,
    links: { next: nextCursor === null ? null : nextLink(query, nextCursor) },
  };
}

function nextLink({ limit, status, cid, model, version, host }: ListDownloadsQuery, cursor: string): string {
  const given = { status: status?.join(','), cid, model, version, host, limit: String(limit), cursor };
  const pairs = Object.entries(given).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return `/api/downloads?${new URLSearchParams(pairs)}`;
}

function registerErrors(app: App, deps: Dependencies): void {
  app.get(
    '/api/downloads/errors',
    {
      ...guardedBy('read'),
      schema: {
        operationId: 'listDownloadErrors',
        summary: 'Why downloads failed or wait: by reason, source and message; most downloads first',
        description: MAY_BE_OLD,
        tags: ['downloads'],
        security: TOKEN_REQUIRED,
        querystring: DownloadErrorsQuery,
        response: { 200: DownloadErrors, ...problems(400) },
      },
    },
    async ({ query: { status: statuses, since, ...filter } }, reply) =>
      readList(deps, reply, async (database) => {
        const from = since === undefined ? undefined : new Date(since);
        const groups = await downloadErrorGroups(database, { ...filter, statuses, since: from });
        return { errors: groups.map(errorView) };
      }),
  );
}

const errorView = ({
  downloadId,
  firstAt,
  lastAt,
  ...group
}: DownloadErrorGroup): DownloadErrors['errors'][number] => ({
  ...group,
  firstAt: momentOf(firstAt),
  lastAt: momentOf(lastAt),
  links: { last: `/api/downloads/${downloadId}` },
});
