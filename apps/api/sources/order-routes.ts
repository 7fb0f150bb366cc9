import { SourceOrderBody, SourceOrderList, SourceOrderParams, SourceOrderView } from '#contracts/http/source-orders';
import type { ListedSource } from '#contracts/http/sources';
import { LAYER_NAMES, type LayerName } from '#core/layer';
import { setSourceOrder, sourceOrders, type SourceOrderRow } from '#database/sources/source-orders';
import { noteForAudit } from '../access/audit/audit-writes.ts';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { changedMeanwhile, ifMatchOf } from '../server/requests/if-match.ts';
import { momentOrNull } from '../server/requests/moment.ts';
import { allSources } from './all-sources.ts';
import { tellWorkersOrWarn } from './tell-workers.ts';
import { sourceChanged, sourceId } from './view.ts';

const documented = { tags: ['sources'], security: TOKEN_REQUIRED };

/** The order of sources that an admin sets, layer by layer. */
export function registerSourceOrders(app: App, deps: Dependencies): void {
  app.get(
    '/api/source-orders',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'listSourceOrders',
        summary: 'The order of sources that admins set, for every layer',
        response: { 200: SourceOrderList, ...problems() },
      },
    },
    async () => {
      const rows = await sourceOrders(deps.database);
      return { orders: LAYER_NAMES.map((layer) => orderView(layer, of(layer, rows))) };
    },
  );
  app.put(
    '/api/source-orders/:layer',
    {
      ...guardedBy('admin'),
      schema: {
        ...documented,
        operationId: 'setSourceOrder',
        summary: 'Set the order in which workers ask the sources of a layer',
        description:
          'The named sources are asked first, in this order, whatever was measured; others come behind, ordered by what is measured. Workers ' +
          'that run know it within seconds, and use it from their next file on. With `If-Match` it is refused when the order changed since.',
        params: SourceOrderParams,
        body: SourceOrderBody,
        response: { 200: SourceOrderView, ...problems(400, 412) },
      },
    },
    async (request, reply) => {
      const { layer } = request.params;
      const { database } = deps;
      const before = of(layer, await sourceOrders(database));
      noteForAudit(request, { before: { origins: before?.origins ?? [] } });
      const origins = originsOf(request.body.sources, await ofLayer(deps, layer), before);
      const wish = { layer, origins, by: request.caller!.name, at: deps.now() };
      const row = await setSourceOrder(database, wish, ifMatchOf(request));
      if (row === undefined) throw changedMeanwhile();
      noteForAudit(request, { after: { origins } });
      deps.changes.tell({ sources: (await ofLayer(deps, layer)).map(sourceChanged) });
      await tellWorkersOrWarn(deps);
      return reply.header('etag', `"${row.version}"`).send(orderView(layer, row));
    },
  );
}

const of = (layer: LayerName, rows: readonly SourceOrderRow[]): SourceOrderRow | undefined =>
  rows.find((row) => row.layer === layer);

const ofLayer = async (deps: Dependencies, layer: LayerName): Promise<ListedSource[]> =>
  (await allSources(deps)).filter((source) => source.layer === layer);

/** A source of the order that is set now may stay in it when nothing was heard of it for long. @throws RequestError */
function originsOf(
  ids: readonly string[],
  known: readonly ListedSource[],
  before: SourceOrderRow | undefined,
): string[] {
  const named = new Map(known.map(({ id, origin }) => [id, origin]));
  for (const origin of before?.origins ?? []) named.set(sourceId(origin), origin);
  return ids.map((id, index) => {
    const origin = named.get(id);
    if (origin !== undefined) return origin;
    const detail = 'is not the id of a source of this layer; GET /api/sources lists them';
    throw new RequestError('invalid-request', `source ${index + 1} of the order ${detail}`, {
      errors: [{ pointer: `/sources/${index}`, detail, value: id.slice(0, 100) }],
    });
  });
}

const orderView = (layer: LayerName, row: SourceOrderRow | undefined): SourceOrderView => ({
  layer,
  sources: (row?.origins ?? []).map(sourceId),
  by: row?.by ?? null,
  at: momentOrNull(row?.at ?? null),
  version: String(row?.version ?? 0),
});
