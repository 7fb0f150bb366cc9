import {
  BulkAction,
  BulkActionParams,
  BulkItemList,
  BulkPlan,
  CreateBulkActionBody,
  GetBulkActionQuery,
  ListBulkItemsQuery,
  type BulkFilter,
  type BulkItem,
} from '#contracts/http/bulk-actions';
import { DryRunQuery } from '#contracts/http/parameters';
import type { BulkActionName } from '#core/bulk-action';
import {
  bulkActionById,
  countBulkItems,
  createBulkAction,
  listBulkItems,
  matchedByBulk,
  planBulkAction,
  type BulkActionRow,
  type BulkItemRow,
} from '#database/downloads/bulk-queries';
import { noteForAudit } from '../access/audit/audit-writes.ts';
import { refuseOutsideLimits } from '../access/token-limits.ts';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { badCursor, decodeName, encodeName, pageFrom } from '../server/requests/cursor.ts';
import { TOKEN_REQUIRED, guardedBy, guardedWithLimitsBy, problems } from '../server/describe.ts';
import { momentOf, momentOrNull } from '../server/requests/moment.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { whenGone } from '../server/when-gone.ts';

const MAX_SHOWN = 100;

const documented = { tags: ['downloads'], security: TOKEN_REQUIRED };

export function registerBulkRoutes(app: App, deps: Dependencies): void {
  registerCreate(app, deps);
  registerGet(app, deps);
  registerItems(app, deps);
}

function registerCreate(app: App, deps: Dependencies): void {
  app.post(
    '/api/bulk-actions',
    {
      ...guardedWithLimitsBy('write'),
      schema: {
        ...documented,
        operationId: 'createBulkAction',
        summary: 'Pause, resume, cancel or retry every download that a filter matches now',
        description:
          'The downloads are those that match at the time of the request. The answer comes at once; `Location` says how far it is. A ' +
          'download that cannot do it is skipped and named. `?dryRun=true` answers 200 with the counts, and changes nothing.',
        body: CreateBulkActionBody,
        querystring: DryRunQuery,
        response: { 200: BulkPlan, 202: BulkAction, ...problems(400, 415) },
      },
    },
    async (request, reply) => {
      const { action, filter } = request.body;
      const caller = request.caller!;
      await refuseOutsideLimits(deps.database, caller, async () => {
        const matched = await matchedByBulk(deps.database, action, filter);
        return {
          models: matched.map(({ model, version }) => (version?.startsWith('inline-') ? null : model)),
          hosts: matched.map(({ host }) => host),
        };
      });
      if (request.query.dryRun) return reply.code(200).send(await planView(deps, action, filter));
      const id = await createBulkAction(deps.database, { action, filter, createdBy: caller.name }, deps.now());
      deps.nudgeBulk();
      const view = await bulkView(deps, (await bulkActionById(deps.database, id))!);
      noteForAudit(request, { after: view.counts });
      return reply.code(202).header('location', view.links.self).send(view);
    },
  );
}

async function planView({ database }: Dependencies, action: BulkActionName, filter: BulkFilter): Promise<BulkPlan> {
  const groups = await planBulkAction(database, action, filter);
  const sum = (state: string): number =>
    groups.filter((group) => group.state === state).reduce((total, { count }) => total + count, 0);
  const counts = { pending: sum('pending'), unchanged: sum('unchanged'), skipped: sum('skipped') };
  return {
    dryRun: true,
    counts: { matched: counts.pending + counts.unchanged + counts.skipped, ...counts },
    reasons: groups.flatMap(({ state, reason, count }) =>
      state === 'pending' ? [] : [{ reason: reason ?? 'stands so already', count }],
    ),
  };
}

function registerGet(app: App, deps: Dependencies): void {
  app.get(
    '/api/bulk-actions/:id',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'getBulkAction',
        summary: 'How far a bulk action is; `?wait=55s` answers when it is done',
        params: BulkActionParams,
        querystring: GetBulkActionQuery,
        response: { 200: BulkAction, ...problems(400, 404) },
      },
    },
    async (request, reply) => {
      const row = await awaitBulk(deps, request.params.id, request.query.wait ?? 0, whenGone(reply));
      return bulkView(deps, row);
    },
  );
}

function registerItems(app: App, deps: Dependencies): void {
  app.get(
    '/api/bulk-actions/:id/items',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'listBulkItems',
        summary: 'What a bulk action did to each download',
        params: BulkActionParams,
        querystring: ListBulkItemsQuery,
        response: { 200: BulkItemList, ...problems(400, 404) },
      },
    },
    async ({ params, query: { state, cursor, limit } }) => {
      const { id } = await mustFind(deps, params.id);
      const after = cursor === undefined ? 0 : positionOf(cursor);
      const found = await listBulkItems(deps.database, id, { states: state ?? [], after, limit });
      const { rows, nextCursor } = pageFrom(found, limit, ({ position }) => encodeName(String(position)));
      return { items: rows.map(itemOf), nextCursor };
    },
  );
}

function positionOf(cursor: string): number {
  const text = decodeName(cursor);
  if (!/^\d{1,9}$/.test(text)) throw badCursor(cursor);
  return Number(text);
}

async function mustFind({ database }: Dependencies, id: string): Promise<BulkActionRow> {
  const row = await bulkActionById(database, id);
  if (row === undefined) throw new RequestError('unknown-bulk-action', `there is no bulk action ${id}`);
  return row;
}

/** @param waitMs how long the answer may wait for the end */
async function awaitBulk(deps: Dependencies, id: string, waitMs: number, signal: AbortSignal): Promise<BulkActionRow> {
  const { changes, now } = deps;
  const deadline = now().getTime() + waitMs;
  const watch = changes.watch(id);
  try {
    let row = await mustFind(deps, id);
    while (row.state === 'running') {
      const left = deadline - now().getTime();
      if (left <= 0 || signal.aborted || changes.stopped()) break;
      await watch.next(left, signal);
      row = await mustFind(deps, id);
    }
    return row;
  } finally {
    watch.end();
  }
}

async function bulkView({ database }: Dependencies, row: BulkActionRow): Promise<BulkAction> {
  const { id, action, filter, state, createdBy } = row;
  const counted = await countBulkItems(database, id);
  const shown = await listBulkItems(database, id, { states: ['skipped', 'failed'], after: 0, limit: MAX_SHOWN });
  const { pending = 0, running = 0, done = 0, unchanged = 0, skipped = 0, failed = 0 } = counted;
  const matched = pending + running + done + unchanged + skipped + failed;
  return {
    ...{ id, action, filter, state, createdBy },
    counts: { matched, pending: pending + running, done, unchanged, skipped, failed },
    skipped: shown.slice(0, MAX_SHOWN).map(itemOf),
    createdAt: momentOf(row.createdAt),
    endedAt: momentOrNull(row.endedAt),
    links: { self: `/api/bulk-actions/${id}`, items: `/api/bulk-actions/${id}/items` },
  };
}

const itemOf = ({ id, file, host, state, reason }: BulkItemRow): BulkItem => ({ id, file, host, state, reason });
