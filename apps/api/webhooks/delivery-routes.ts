import {
  Delivery,
  DeliveryList,
  DeliveryParams,
  ListDeliveriesQuery,
  ReplayBody,
  Replayed,
  WebhookParams,
} from '#contracts/http/webhooks';
import { deliveryById, listDeliveries, replayDeliveries, tellOne } from '#database/webhooks/delivery-queries';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { decodeCursor, encodeCursor, pageFrom } from '../server/requests/cursor.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { mustFindWebhook } from './routes.ts';
import { deliveryView } from './view.ts';

const COMMON = { tags: ['webhooks'], security: TOKEN_REQUIRED };

/** What was told to an endpoint, what came of it, and telling it again. */
export function registerDeliveryRoutes(app: App, deps: Dependencies): void {
  registerList(app, deps);
  registerOne(app, deps);
  registerTest(app, deps);
  registerReplay(app, deps);
}

function registerList(app: App, deps: Dependencies): void {
  app.get(
    '/api/webhooks/:id/deliveries',
    {
      ...guardedBy('admin'),
      schema: {
        ...COMMON,
        operationId: 'listWebhookDeliveries',
        summary: 'Messages of a webhook and every attempt to send them, newest first',
        params: WebhookParams,
        querystring: ListDeliveriesQuery,
        response: { 200: DeliveryList, ...problems(400, 404) },
      },
    },
    async ({ params, query }) => listView(deps, params.id, query),
  );
}

async function listView(deps: Dependencies, id: string, query: ListDeliveriesQuery): Promise<DeliveryList> {
  await mustFindWebhook(deps, id);
  const { state, type, limit, cursor } = query;
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  const found = await listDeliveries(deps.database, id, { state, type, limit, after });
  const { rows, nextCursor } = pageFrom(found, limit, encodeCursor);
  return { deliveries: rows.map(deliveryView), nextCursor };
}

async function seeDelivery(deps: Dependencies, webhookId: string, id: string): Promise<Delivery> {
  await mustFindWebhook(deps, webhookId);
  const row = await deliveryById(deps.database, webhookId, id);
  if (row === undefined)
    throw new RequestError(
      'unknown-delivery',
      `the webhook has no delivery ${id}; its deliveries are listed beside it`,
    );
  return deliveryView(row);
}

function registerOne(app: App, deps: Dependencies): void {
  const schema = { ...COMMON, params: DeliveryParams };
  app.get(
    '/api/webhooks/:id/deliveries/:deliveryId',
    {
      ...guardedBy('admin'),
      schema: {
        ...schema,
        operationId: 'getWebhookDelivery',
        summary: 'One message and every attempt to send it',
        response: { 200: Delivery, ...problems(400, 404) },
      },
    },
    async ({ params }) => seeDelivery(deps, params.id, params.deliveryId),
  );
  app.post(
    '/api/webhooks/:id/deliveries/:deliveryId/replay',
    {
      ...guardedBy('admin'),
      schema: {
        ...schema,
        operationId: 'replayWebhookDelivery',
        summary: 'Send one message again now, with the id that it had; one that is being sent goes on',
        response: { 202: Delivery, ...problems(400, 404, 409) },
      },
    },
    async ({ params }, reply) => {
      await seeDelivery(deps, params.id, params.deliveryId);
      await mustBeEnabled(deps, params.id);
      await replayDeliveries(deps.database, params.id, { id: params.deliveryId }, deps.now());
      deps.nudgeWebhooks();
      return reply.code(202).send(await seeDelivery(deps, params.id, params.deliveryId));
    },
  );
}

function registerTest(app: App, deps: Dependencies): void {
  app.post(
    '/api/webhooks/:id/test',
    {
      ...guardedBy('admin'),
      schema: {
        ...COMMON,
        operationId: 'testWebhook',
        summary: 'Send the endpoint a message of the type webhook.test',
        params: WebhookParams,
        response: { 202: Delivery, ...problems(400, 404, 409) },
      },
    },
    async ({ params, caller }, reply) => {
      await mustBeEnabled(deps, params.id);
      const data = { id: params.id, askedBy: caller!.name, links: { self: `/api/webhooks/${params.id}` } };
      const id = await tellOne(deps.database, params.id, { type: 'webhook.test', data }, deps.now());
      deps.nudgeWebhooks();
      return reply.code(202).send(await seeDelivery(deps, params.id, id));
    },
  );
}

function registerReplay(app: App, deps: Dependencies): void {
  app.post(
    '/api/webhooks/:id/replay',
    {
      ...guardedBy('admin'),
      schema: {
        ...COMMON,
        operationId: 'replayWebhook',
        summary: 'Send messages again, with the ids they had: all that failed, or all since a moment',
        params: WebhookParams,
        body: ReplayBody,
        response: { 202: Replayed, ...problems(400, 404, 409, 413, 415) },
      },
    },
    async ({ params, body }, reply) => {
      await mustBeEnabled(deps, params.id);
      const since = body?.since === undefined ? undefined : new Date(body.since);
      const filter = { state: body?.state ?? 'failed', since };
      const replayed = await replayDeliveries(deps.database, params.id, filter, deps.now());
      deps.nudgeWebhooks();
      return reply.code(202).send({ replayed });
    },
  );
}

async function mustBeEnabled(deps: Dependencies, id: string): Promise<void> {
  const { disabledAt } = await mustFindWebhook(deps, id);
  if (disabledAt !== null)
    throw new RequestError(
      'webhook-disabled',
      'nothing is sent while it is disabled: PATCH it with {"enabled": true} first',
    );
}
