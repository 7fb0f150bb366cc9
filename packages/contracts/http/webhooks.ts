import { z } from 'zod';
import { WEBHOOK_EVENTS, WEBHOOK_EVENT_TYPES, WEBHOOK_PATTERNS } from '#core/webhook/event-types';
import { nearestOf } from '#core/text/nearest';
import { parsedBy } from '../parsed-by.ts';
import { Count, Moment, Page, pageOf } from './parameters.ts';

export const WebhookParams = z.strictObject({ id: z.uuid('a webhook id is a UUID, as a create answered it') });

export const DeliveryParams = z.strictObject({
  id: z.uuid('a webhook id is a UUID, as a create answered it'),
  deliveryId: z.uuid('a delivery id is a UUID, as the list of deliveries has it'),
});

const MAX_URL_CHARACTERS = 2000;

/** Where messages go. Its address is judged at each connection; a literal one here too, by the route. */
const EndpointUrl = parsedBy(
  z.string().min(1, 'write a URL such as https://ci.example/hooks/haulier').max(MAX_URL_CHARACTERS),
  (text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:'))
      throw new RangeError('is no http or https URL: write one such as https://ci.example/hooks/haulier');
    if (url.username !== '' || url.password !== '')
      throw new RangeError('has a login, which lists would show: the receiver checks the signature instead');
    if (url.hash !== '') throw new RangeError('has a fragment, which is never sent: leave out what follows the #');
    return url.href;
  },
).describe('`https://…`; a private address only where HAULIER_ALLOW_ADDRESSES of the API has it');

const EventPattern = z
  .string()
  .max(60)
  .superRefine((text, context) => {
    if (WEBHOOK_PATTERNS.includes(text)) return;
    const near = nearestOf(text, WEBHOOK_PATTERNS);
    const hint = near === undefined ? 'GET /api/webhooks/event-types lists them' : `did you mean ${near}?`;
    context.addIssue({ code: 'custom', message: `"${text}" is no type of event: ${hint}` });
  });

const EventPatterns = z
  .array(EventPattern)
  .min(1, 'name at least one type; `*` is all of them')
  .max(WEBHOOK_PATTERNS.length)
  .transform((patterns) => [...new Set(patterns)])
  .describe('types such as `rollout.failed`, groups such as `rollout.*`, or `*`');

const LEAST_SECRET_BYTES = 24;
const MOST_SECRET_BYTES = 64;

/** `whsec_` and base64 of 24 to 64 bytes, as the Standard Webhooks specification has it. */
const Secret = parsedBy(z.string().max(200), (text) => {
  const match = /^whsec_((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?)$/.exec(text);
  const bytes = match === null ? 0 : Math.floor((match[1]!.replace(/=+$/, '').length * 3) / 4);
  if (bytes >= LEAST_SECRET_BYTES && bytes <= MOST_SECRET_BYTES) return text;
  throw new RangeError(
    `is whsec_ and base64 of ${LEAST_SECRET_BYTES} to ${MOST_SECRET_BYTES} bytes; leave it out to get one`,
  );
}).describe('`whsec_…`; left out: one is made');

const Description = z.string().max(200).describe('for people');

export const CreateWebhookBody = z
  .strictObject({
    url: EndpointUrl,
    events: EventPatterns.default(['*']),
    description: Description.default(''),
    secret: Secret.optional(),
  })
  .meta({ examples: [{ url: 'https://ci.example/hooks/haulier', events: ['rollout.*', 'host.offline'] }] });

export type CreateWebhookInput = z.input<typeof CreateWebhookBody>;

export const ChangeWebhookBody = z
  .strictObject({
    url: EndpointUrl.optional(),
    events: EventPatterns.optional(),
    description: Description.optional(),
    enabled: z.boolean().optional().describe('false: nothing is told until it is true again; what waits is kept'),
  })
  .meta({ examples: [{ enabled: true }] });

export type ChangeWebhookInput = z.input<typeof ChangeWebhookBody>;

export const RotateWebhookBody = z.strictObject({ secret: Secret.optional() }).nullish();

const webhook = {
  id: z.uuid(),
  url: z.string(),
  description: z.string(),
  events: z.array(z.string()),
  enabled: z.boolean(),
  disabledAt: Moment.nullable(),
  disabledReason: z
    .enum(['manual', 'gone', 'failing'])
    .nullable()
    .describe('`gone`: the endpoint answered 410; `failing`: a message used up its attempts while none got through'),
  pending: Count.describe('messages that wait'),
  notBefore: Moment.nullable().describe('the endpoint asked to be left alone until then'),
  lastSuccessAt: Moment.nullable(),
  formerSecretUntil: Moment.nullable().describe('until then the former secret signs too'),
  createdBy: z.string().describe('the token that made it'),
  createdAt: Moment,
  updatedAt: Moment,
  links: z.strictObject({ self: z.string(), deliveries: z.string() }),
};

export const Webhook = z.strictObject(webhook).meta({ id: 'Webhook' });

export type Webhook = z.infer<typeof Webhook>;

/** The only answers that show the secret. */
export const WebhookWithSecret = z
  .strictObject({ ...webhook, secret: z.string().describe('`whsec_…`; no other answer shows it') })
  .meta({ id: 'WebhookWithSecret' });

export type WebhookWithSecret = z.infer<typeof WebhookWithSecret>;

export const WebhookList = z.strictObject({ webhooks: z.array(Webhook) }).meta({ id: 'WebhookList' });

export type WebhookList = z.infer<typeof WebhookList>;

export const WebhookEventTypes = z
  .strictObject({ types: z.array(z.strictObject({ type: z.enum(WEBHOOK_EVENT_TYPES), tells: z.string() })) })
  .meta({ id: 'WebhookEventTypes' });

/** What an endpoint gets, as `application/json`. */
export const WebhookMessage = z
  .object({
    type: z
      .enum(WEBHOOK_EVENT_TYPES)
      .describe(WEBHOOK_EVENT_TYPES.map((type) => `\`${type}\`: ${WEBHOOK_EVENTS[type]}`).join('; ')),
    timestamp: Moment.describe('when it happened'),
    data: z.record(z.string(), z.unknown()).describe('of what it happened to; `links.self` leads to all of it'),
  })
  .meta({ id: 'WebhookMessage' });

const DELIVERY_STATES = ['pending', 'delivered', 'failed'] as const;

export const Delivery = z
  .strictObject({
    id: z.uuid(),
    messageId: z.uuid().describe('the `webhook-id` of every attempt'),
    type: z.string(),
    at: Moment,
    state: z.enum(DELIVERY_STATES),
    attempts: Count.describe('since it was made, or last replayed'),
    nextAttemptAt: Moment.nullable(),
    tries: z
      .array(
        z.strictObject({
          at: Moment,
          status: z.number().int().nullable().describe('null: there was no answer'),
          error: z.string().nullable(),
          ms: Count,
        }),
      )
      .describe('the latest, oldest first'),
    createdAt: Moment,
    endedAt: Moment.nullable(),
    message: WebhookMessage,
  })
  .meta({ id: 'WebhookDelivery' });

export type Delivery = z.infer<typeof Delivery>;

export const ListDeliveriesQuery = z.strictObject({
  state: z.enum(DELIVERY_STATES).optional(),
  type: z.enum(WEBHOOK_EVENT_TYPES).optional(),
  ...Page,
});

export type ListDeliveriesQuery = z.infer<typeof ListDeliveriesQuery>;

export const DeliveryList = pageOf('WebhookDeliveryList', 'deliveries', Delivery);

export type DeliveryList = z.infer<typeof DeliveryList>;

export const ReplayBody = z
  .strictObject({
    state: z.enum(['delivered', 'failed']).default('failed'),
    since: Moment.optional().describe('only messages that were made then or later'),
  })
  .nullish();

export type ReplayInput = z.input<typeof ReplayBody>;

export const Replayed = z.strictObject({ replayed: Count }).meta({ id: 'ReplayedDeliveries' });

export type Replayed = z.infer<typeof Replayed>;
