import type {
  ChangeWebhookInput,
  CreateWebhookInput,
  Delivery,
  DeliveryList,
  Replayed,
  ReplayInput,
  Webhook,
  WebhookList,
  WebhookWithSecret,
} from '#contracts/http/webhooks';
import { send, type Call, type ClientOptions } from './send.ts';

export interface DeliveryListFilter {
  readonly state?: string | undefined;
  readonly type?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: number | undefined;
}

/** Webhooks and what was sent to them. Each method throws ApiError or UnreachableError. */
export interface WebhookClient {
  createWebhook(body: CreateWebhookInput): Promise<WebhookWithSecret>;
  listWebhooks(): Promise<Webhook[]>;
  getWebhook(id: string): Promise<Webhook>;
  changeWebhook(id: string, change: ChangeWebhookInput): Promise<Webhook>;
  /** @returns what it was */
  deleteWebhook(id: string): Promise<Webhook>;
  rotateWebhookSecret(id: string, body?: { secret?: string }): Promise<WebhookWithSecret>;
  /** Everything that webhooks can tell. */
  listWebhookEventTypes(): Promise<readonly { type: string; tells: string }[]>;
  /** Sends a test message. */
  testWebhook(id: string): Promise<Delivery>;
  listWebhookDeliveries(id: string, filter?: DeliveryListFilter): Promise<DeliveryList>;
  getWebhookDelivery(id: string, deliveryId: string): Promise<Delivery>;
  /** Sends one message again. */
  replayWebhookDelivery(id: string, deliveryId: string): Promise<Delivery>;
  /** Sends all messages again that failed, or were delivered, since a moment. */
  replayWebhook(id: string, body?: ReplayInput): Promise<Replayed>;
}

const pathOf = (id: string): string => `/api/webhooks/${encodeURIComponent(id)}`;

const deliveryPath = (id: string, deliveryId: string): string =>
  `${pathOf(id)}/deliveries/${encodeURIComponent(deliveryId)}`;

export const webhookMethods = (options: ClientOptions): WebhookClient => {
  const get = <Answer>(path: string, query: Call['query'] = {}) =>
    send<Answer>(options, { method: 'GET', path, query });
  const post = <Answer>(path: string, body?: unknown) => send<Answer>(options, { method: 'POST', path, body });
  return {
    createWebhook: (body) => post('/api/webhooks', body),
    listWebhooks: async () => (await get<WebhookList>('/api/webhooks')).webhooks,
    getWebhook: (id) => get(pathOf(id)),
    changeWebhook: (id, change) => send(options, { method: 'PATCH', path: pathOf(id), body: change }),
    deleteWebhook: (id) => send(options, { method: 'DELETE', path: pathOf(id) }),
    rotateWebhookSecret: (id, body = {}) => post(`${pathOf(id)}/rotate`, body),
    listWebhookEventTypes: async () =>
      (await get<{ types: { type: string; tells: string }[] }>('/api/webhooks/event-types')).types,
    testWebhook: (id) => post(`${pathOf(id)}/test`),
    listWebhookDeliveries: (id, filter = {}) => get(`${pathOf(id)}/deliveries`, { ...filter }),
    getWebhookDelivery: (id, deliveryId) => get(deliveryPath(id, deliveryId)),
    replayWebhookDelivery: (id, deliveryId) => post(`${deliveryPath(id, deliveryId)}/replay`),
    replayWebhook: (id, body = {}) => post(`${pathOf(id)}/replay`, body),
  };
};
