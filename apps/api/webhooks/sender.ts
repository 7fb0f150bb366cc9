import { MINUTE_MS, SECOND_MS } from '#core/units';
import { afterAttempt } from '#core/webhook/after-attempt';
import {
  claimDeliveries,
  releaseDelivery,
  settleDelivery,
  type ClaimedDelivery,
  type Settlement,
} from '#database/webhooks/claim-deliveries';
import type { Http } from '#http/pool';
import { createLoop, type Loop } from '../background/loop.ts';
import type { Dependencies } from '../dependencies.ts';
import { sendMessage, type SentMessage } from './send-message.ts';

type SenderDeps = Pick<Dependencies, 'database' | 'metrics' | 'now' | 'log'>;

const EVERY_MS = SECOND_MS;
/** Messages to one webhook at once, so that an endpoint that is slow holds up its own messages alone. */
const PER_WEBHOOK = 8;
/** Longer than any attempt: after that the process that claimed a message counts as gone. */
const CLAIM_MS = MINUTE_MS;

/**
 * Sends the messages that are due. Every API process may run it: each message is claimed by one of them.
 *
 * @param openHttp makes a client for one attempt
 */
export function createWebhookSender(deps: SenderDeps, openHttp: () => Http): Loop {
  const stopping = new AbortController();
  /** Messages under way, by webhook. */
  const busy = new Map<string, number>();
  const running = new Set<Promise<void>>();

  const begin = (delivery: ClaimedDelivery): void => {
    const { webhookId } = delivery;
    busy.set(webhookId, (busy.get(webhookId) ?? 0) + 1);
    const work = deliver(deps, delivery, openHttp, stopping.signal).finally(() => {
      running.delete(work);
      const left = busy.get(webhookId)! - 1;
      if (left > 0) busy.set(webhookId, left);
      else busy.delete(webhookId);
      if (left === 0) loop.nudge();
    });
    running.add(work);
  };

  const loop = createLoop({
    name: 'webhooks',
    everyMs: EVERY_MS,
    log: deps.log,
    round: async () => {
      const options = { perWebhook: PER_WEBHOOK, forMs: CLAIM_MS, without: [...busy.keys()] };
      for (const delivery of await claimDeliveries(deps.database, options, deps.now())) begin(delivery);
      return false;
    },
  });

  return {
    start: () => loop.start(),
    nudge: () => loop.nudge(),
    async stop() {
      stopping.abort(new Error('the API stops'));
      await loop.stop();
      await Promise.all(running);
    },
  };
}

/** One attempt and what follows from it. Never rejects: a claim that could not be settled ends by time. */
async function deliver(
  deps: SenderDeps,
  delivery: ClaimedDelivery,
  openHttp: () => Http,
  signal: AbortSignal,
): Promise<void> {
  const { database, metrics, now, log } = deps;
  const { webhookId, id: deliveryId } = delivery;
  const startedAt = performance.now();
  const at = now().toISOString();
  try {
    const sent = await sendMessage(delivery, { openHttp, now, signal }).catch(async (error: unknown) => {
      await releaseDelivery(database, delivery);
      if (!signal.aborted) throw error;
    });
    if (sent === undefined) return;
    metrics.delivered(sent.error === null ? 'success' : 'failure');
    const ms = Math.round(performance.now() - startedAt);
    const attempt = { at, status: sent.status ?? null, error: sent.error, ms };
    const settlement = settlementOf(sent, delivery.attempts + 1, now());
    const disabled = await settleDelivery(database, delivery, attempt, settlement, now());
    log.debug({ webhookId, deliveryId, ...attempt, as: settlement.as }, 'webhook message was sent');
    if (disabled === undefined) return;
    metrics.delivered('disabled');
    log.warn({ webhookId, why: disabled, error: sent.error }, 'webhook is disabled');
  } catch (err) {
    log.warn({ err, webhookId, deliveryId }, 'webhook message could not be settled; it is sent again later');
  }
}

function settlementOf(sent: SentMessage, attempts: number, now: Date): Settlement {
  const next = afterAttempt(sent, attempts, Math.random());
  const after = (ms: number): Date => new Date(now.getTime() + ms);
  switch (next.do) {
    case 'deliver':
      return { as: 'delivered' };
    case 'disable':
      return { as: 'failed', why: 'gone' };
    case 'give-up':
      return { as: 'failed', why: 'exhausted' };
    case 'retry':
      return {
        as: 'pending',
        nextAttemptAt: after(next.afterMs),
        notBefore: next.holdMs === undefined ? undefined : after(next.holdMs),
      };
  }
}
