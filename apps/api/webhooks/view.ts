import type { Delivery, Webhook } from '#contracts/http/webhooks';
import { WebhookMessage } from '#contracts/http/webhooks';
import type { DeliveryRow } from '#database/webhooks/delivery-queries';
import type { WebhookRow } from '#database/webhooks/webhook-queries';
import { momentOf, momentOrNull } from '../server/requests/moment.ts';

export const webhookView = (row: WebhookRow, now: Date): Webhook => ({
  id: row.id,
  url: row.url,
  description: row.description,
  events: row.events,
  enabled: row.disabledAt === null,
  disabledAt: momentOrNull(row.disabledAt),
  disabledReason: row.disabledReason,
  pending: row.pending,
  notBefore: momentOrNull(stillAhead(row.notBefore, now)),
  lastSuccessAt: momentOrNull(row.lastSuccessAt),
  formerSecretUntil: momentOrNull(stillAhead(row.previousUntil, now)),
  createdBy: row.createdBy,
  createdAt: momentOf(row.createdAt),
  updatedAt: momentOf(row.updatedAt),
  links: { self: `/api/webhooks/${row.id}`, deliveries: `/api/webhooks/${row.id}/deliveries` },
});

const stillAhead = (moment: Date | null, now: Date): Date | null => (moment !== null && moment > now ? moment : null);

export const deliveryView = (row: DeliveryRow): Delivery => ({
  id: row.id,
  messageId: row.eventId,
  type: row.type,
  at: momentOf(row.at),
  state: row.state,
  attempts: row.attempts,
  nextAttemptAt: row.state === 'pending' ? momentOf(row.nextAttemptAt) : null,
  tries: [...row.tries],
  createdAt: momentOf(row.createdAt),
  endedAt: momentOrNull(row.endedAt),
  message: WebhookMessage.parse(JSON.parse(row.body)),
});
