import {
  ChangeWebhookBody,
  CreateWebhookBody,
  RotateWebhookBody,
  Webhook,
  WebhookEventTypes,
  WebhookList,
  WebhookParams,
  WebhookWithSecret,
} from '#contracts/http/webhooks';
import { DAY_MS } from '#core/units';
import { WEBHOOK_EVENTS, WEBHOOK_EVENT_TYPES } from '#core/webhook/event-types';
import {
  changeWebhook,
  createWebhook,
  deleteWebhook,
  listWebhooks,
  rotateSecret,
  webhookById,
  type WebhookRow,
} from '#database/webhooks/webhook-queries';
import type { AddressPolicy } from '#http/address/address-policy';
import { refuseLiteral, targetOf } from '#http/connection/proxy';
import { HttpFailure } from '#http/http-error';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { registerDeliveryRoutes } from './delivery-routes.ts';
import { makeSecret } from './secret.ts';
import { webhookView } from './view.ts';

const MOST_WEBHOOKS = 100;
const FORMER_SECRET_MS = DAY_MS;

const COMMON = { tags: ['webhooks'], security: TOKEN_REQUIRED };

/** Webhooks hold secrets and make the API send requests, so they are for admins alone. */
export function registerWebhookRoutes(app: App, deps: Dependencies): void {
  registerList(app, deps);
  registerCreate(app, deps);
  registerOne(app, deps);
  registerRotate(app, deps);
  registerDeliveryRoutes(app, deps);
}

/** @throws RequestError when there is none */
export async function mustFindWebhook({ database }: Dependencies, id: string): Promise<WebhookRow> {
  return found(await webhookById(database, id), id);
}

function found(row: WebhookRow | undefined, id: string): WebhookRow {
  if (row !== undefined) return row;
  throw new RequestError('unknown-webhook', `there is no webhook ${id}; GET /api/webhooks lists them`);
}

function registerList(app: App, { database, now }: Dependencies): void {
  app.get(
    '/api/webhooks',
    {
      ...guardedBy('admin'),
      schema: {
        ...COMMON,
        operationId: 'listWebhooks',
        summary: 'List webhooks, oldest first; secrets are not shown',
        response: { 200: WebhookList, ...problems() },
      },
    },
    async () => ({ webhooks: (await listWebhooks(database)).map((row) => webhookView(row, now())) }),
  );
  app.get(
    '/api/webhooks/event-types',
    {
      ...guardedBy('read'),
      schema: {
        ...COMMON,
        operationId: 'listWebhookEventTypes',
        summary: 'Everything that webhooks can tell, and when',
        response: { 200: WebhookEventTypes, ...problems() },
      },
    },
    async () => ({ types: WEBHOOK_EVENT_TYPES.map((type) => ({ type, tells: WEBHOOK_EVENTS[type] })) }),
  );
}

function registerCreate(app: App, deps: Dependencies): void {
  app.post(
    '/api/webhooks',
    {
      ...guardedBy('admin'),
      schema: {
        ...COMMON,
        operationId: 'createWebhook',
        summary: 'Tell an endpoint what happens, by the Standard Webhooks specification',
        description:
          'Each message is a POST with `webhook-id`, `webhook-timestamp` and `webhook-signature`, which any library of ' +
          'Standard Webhooks verifies with the secret of this answer. Any 2xx within 20 s is a success. Everything else is tried ' +
          'again for about three days, later where `Retry-After` says so; 410 disables the webhook. Redirects are not followed. A ' +
          'message may come twice, with one id, and messages may come in another order.',
        body: CreateWebhookBody,
        response: { 201: WebhookWithSecret, ...problems(400, 409, 413, 415) },
      },
    },
    async ({ body, caller }, reply) => {
      const { database, now } = deps;
      judgeUrl(body.url, deps.webhookAddresses);
      const secret = body.secret ?? makeSecret();
      const { url, events, description } = body;
      const made = { url, events, description, secret, createdBy: caller!.name };
      const row = await createWebhook(database, made, MOST_WEBHOOKS, now());
      if (row === undefined)
        throw new RequestError(
          'too-many-webhooks',
          `there are ${MOST_WEBHOOKS} webhooks: delete one that is not needed`,
        );
      const view = webhookView(row, now());
      return reply
        .code(201)
        .header('location', view.links.self)
        .send({ ...view, secret });
    },
  );
}

/** A name is judged at each connection, by the address that it then has. */
function judgeUrl(url: string, policy: AddressPolicy): void {
  try {
    refuseLiteral(targetOf(new URL(url)), policy);
  } catch (error) {
    if (!(error instanceof HttpFailure)) throw error;
    const detail = `leads to an address that webhooks may not have: ${error.message}`;
    throw new RequestError('invalid-request', `/url: ${detail}`, { errors: [{ pointer: '/url', detail, value: url }] });
  }
}

function registerOne(app: App, deps: Dependencies): void {
  const { database, now } = deps;
  const schema = { ...COMMON, params: WebhookParams, response: { 200: Webhook, ...problems(400, 404) } };
  app.get(
    '/api/webhooks/:id',
    { ...guardedBy('admin'), schema: { ...schema, operationId: 'getWebhook', summary: 'One webhook' } },
    async ({ params }) => webhookView(await mustFindWebhook(deps, params.id), now()),
  );
  app.patch(
    '/api/webhooks/:id',
    {
      ...guardedBy('admin'),
      schema: {
        ...schema,
        operationId: 'changeWebhook',
        summary: 'Change a webhook; what is left out stays',
        body: ChangeWebhookBody,
        response: { 200: Webhook, ...problems(400, 404, 413, 415) },
      },
    },
    async ({ params, body }) => {
      if (body.url !== undefined) judgeUrl(body.url, deps.webhookAddresses);
      const row = found(await changeWebhook(database, params.id, body, now()), params.id);
      deps.nudgeWebhooks();
      return webhookView(row, now());
    },
  );
  app.delete(
    '/api/webhooks/:id',
    {
      ...guardedBy('admin'),
      schema: {
        ...schema,
        operationId: 'deleteWebhook',
        summary: 'Delete a webhook and its deliveries; answers what it was',
      },
    },
    async ({ params }) => {
      const row = await mustFindWebhook(deps, params.id);
      if (!(await deleteWebhook(database, row.id))) found(undefined, row.id);
      return webhookView(row, now());
    },
  );
}

function registerRotate(app: App, deps: Dependencies): void {
  app.post(
    '/api/webhooks/:id/rotate',
    {
      ...guardedBy('admin'),
      schema: {
        ...COMMON,
        operationId: 'rotateWebhookSecret',
        summary: 'Give a webhook a new secret; for a day messages are signed with the former one too',
        params: WebhookParams,
        body: RotateWebhookBody,
        response: { 200: WebhookWithSecret, ...problems(400, 404, 413, 415) },
      },
    },
    async ({ params, body }) => {
      const { database, now } = deps;
      const secret = body?.secret ?? makeSecret();
      const until = new Date(now().getTime() + FORMER_SECRET_MS);
      const row = found(await rotateSecret(database, params.id, secret, until, now()), params.id);
      return { ...webhookView(row, now()), secret };
    },
  );
}
