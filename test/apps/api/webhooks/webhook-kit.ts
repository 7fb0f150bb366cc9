import type { Delivery, DeliveryList, Webhook, WebhookWithSecret } from '#contracts/http/webhooks';
import { createHttp } from '#http/pool';
import { createWebhookSender } from '../../../../apps/api/webhooks/sender.ts';
import type { Loop } from '../../../../apps/api/background/loop.ts';
import { startReceiver, type Received, type Receiver } from '../../../helpers/receiver.ts';
import { until } from '../../../helpers/until.ts';
import { startRollouts, type RolloutKit } from '../rollouts/rollout-kit.ts';
import type { Answer } from '../start-app.ts';

/** The API with a clock that a test moves, a sender of messages, and an endpoint. */
export interface WebhookKit extends RolloutKit {
  readonly receiver: Receiver;
  readonly sender: Loop;
  admin(method: string, path: string, body?: object): Promise<Answer>;
  /** A webhook that tells the receiver. */
  add(events?: readonly string[], more?: object): Promise<WebhookWithSecret>;
  webhook(id: string): Promise<Webhook>;
  deliveries(id: string, query?: string): Promise<Delivery[]>;
  /** Waits until so many messages came in all. */
  messages(count: number): Promise<readonly Received[]>;
  /** Waits until the newest delivery of a webhook is as wanted. */
  awaitDelivery(id: string, holds: (delivery: Delivery) => boolean): Promise<Delivery>;
  /** Another process that sends, with connections of its own. */
  startSender(): Loop;
}

export async function startWebhooks(): Promise<WebhookKit> {
  const receiver = await startReceiver();
  const senders: Loop[] = [];
  const kit = await startRollouts({ allowAddresses: ['127.0.0.1'], nudgeWebhooks: () => senders[0]?.nudge() });
  const { deps, tokens } = kit.api;
  const startSender = (): Loop => {
    const sender = createWebhookSender(deps, () => createHttp({ addressPolicy: deps.webhookAddresses }));
    senders.push(sender);
    sender.start();
    return sender;
  };
  const sender = startSender();
  const admin: WebhookKit['admin'] = (method, path, body) =>
    kit.api.call(method, path, body, { authorization: `Bearer ${tokens.admin}` });
  const deliveries: WebhookKit['deliveries'] = async (id, query = '') =>
    (await admin('GET', `/api/webhooks/${id}/deliveries?limit=500${query}`)).json<DeliveryList>().deliveries;
  return {
    ...kit,
    receiver,
    sender,
    startSender,
    admin,
    deliveries,
    add: async (events = ['*'], more = {}) => {
      const answer = await admin('POST', '/api/webhooks', { url: receiver.url, events, ...more });
      if (answer.statusCode !== 201) throw new Error(answer.body);
      return answer.json();
    },
    webhook: async (id) => (await admin('GET', `/api/webhooks/${id}`)).json(),
    messages: async (count) => {
      const what = `${count} messages came`;
      await until(() => receiver.received.length >= count, { what }).catch((cause: unknown) => {
        throw new Error(`${what}: only ${receiver.received.map(({ type }) => type).join(', ')}`, { cause });
      });
      return receiver.received;
    },
    awaitDelivery: (id, holds) =>
      until(
        async () => {
          const newest = (await deliveries(id))[0];
          return newest !== undefined && holds(newest) ? newest : undefined;
        },
        { what: 'a delivery is as wanted' },
      ),
    stop: async () => {
      await Promise.all(senders.map((one) => one.stop()));
      await receiver.close();
      await kit.stop();
    },
  };
}
