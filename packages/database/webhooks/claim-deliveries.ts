import type pg from 'pg';
import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';
import { announce } from './announce.ts';
import type { DeliveryTry } from './delivery-queries.ts';

/** A message that this process, and no other, sends now. */
export interface ClaimedDelivery {
  readonly id: string;
  readonly claim: string;
  readonly webhookId: string;
  readonly url: string;
  readonly secret: string;
  /** Signs too, until `previousUntil`. */
  readonly previousSecret: string | null;
  readonly previousUntil: Date | null;
  readonly eventId: string;
  readonly body: string;
  /** Made so far. */
  readonly attempts: number;
  readonly tries: readonly DeliveryTry[];
}

const CLAIM_SQL = `
  UPDATE webhook_deliveries d SET claim = gen_random_uuid(),
    claimed_until = clock_timestamp() + $3 * interval '1 millisecond'
  FROM (
    SELECT w.id AS webhook_id, c.id FROM webhooks w CROSS JOIN LATERAL (
      SELECT x.id FROM webhook_deliveries x
      WHERE x.webhook_id = w.id AND x.state = 'pending' AND x.next_attempt_at <= $1
        AND (x.claimed_until IS NULL OR x.claimed_until < clock_timestamp())
      ORDER BY x.next_attempt_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ) c
    WHERE w.disabled_at IS NULL AND (w.not_before IS NULL OR w.not_before <= $1) AND NOT w.id = ANY($4::uuid[])
  ) due, webhooks w, webhook_events e
  WHERE d.id = due.id AND w.id = due.webhook_id AND e.id = d.event_id
  RETURNING d.id, d.claim, d.webhook_id AS "webhookId", w.url, w.secret, w.previous_secret AS "previousSecret",
    w.previous_until AS "previousUntil", d.event_id AS "eventId", e.body, d.attempts, d.tries`;

export interface ClaimOptions {
  /** Messages of one webhook. */
  readonly perWebhook: number;
  /** How long no other process takes them; longer than any attempt. By the clock of the database. Milliseconds. */
  readonly forMs: number;
  /** Webhooks that this process sends to already. */
  readonly without: readonly string[];
}

/**
 * Takes messages that are due. A process that dies with them loses its claim by time; what it had sent by then is sent once more,
 * with the same id.
 */
export async function claimDeliveries(
  database: Database,
  { perWebhook, forMs, without }: ClaimOptions,
  now: Date,
): Promise<ClaimedDelivery[]> {
  return (await database.pool.query<ClaimedDelivery>(CLAIM_SQL, [now, perWebhook, forMs, without])).rows;
}

/** What became of a claimed message. */
export type Settlement =
  | { readonly as: 'delivered' }
  | { readonly as: 'pending'; readonly nextAttemptAt: Date; readonly notBefore: Date | undefined }
  | { readonly as: 'failed'; readonly why: 'gone' | 'exhausted' };

const MOST_TRIES_KEPT = 20;

const SETTLE_SQL = `
  UPDATE webhook_deliveries d SET state = $3, attempts = d.attempts + 1, next_attempt_at = coalesce($4, d.next_attempt_at),
    tries = $5, claim = NULL, claimed_until = NULL, ended_at = CASE WHEN $3 = 'pending' THEN NULL ELSE $6::timestamptz END
  WHERE d.id = $1 AND d.claim = $2`;

/**
 * Writes how an attempt ended. A process whose claim has passed to another one changes nothing.
 *
 * @returns whether the webhook was disabled by it, and why
 */
export async function settleDelivery(
  database: Database,
  delivery: ClaimedDelivery,
  attempt: DeliveryTry,
  settlement: Settlement,
  now: Date,
): Promise<'gone' | 'failing' | undefined> {
  const tries = [...delivery.tries, attempt].slice(-MOST_TRIES_KEPT);
  const next = settlement.as === 'pending' ? settlement.nextAttemptAt : null;
  const parameters = [delivery.id, delivery.claim, settlement.as, next, JSON.stringify(tries), now];
  return inTransaction(database, async (client) => {
    if ((await client.query(SETTLE_SQL, parameters)).rowCount !== 1) return undefined;
    const { webhookId } = delivery;
    if (settlement.as === 'delivered')
      await client.query('UPDATE webhooks SET last_success_at = $2 WHERE id = $1', [webhookId, now]);
    else if (settlement.as === 'failed') return disable(client, delivery, settlement.why, now);
    else if (settlement.notBefore !== undefined)
      await client.query('UPDATE webhooks SET not_before = greatest(not_before, $2) WHERE id = $1', [
        webhookId,
        settlement.notBefore,
      ]);
    return undefined;
  });
}

/** A message that used up its attempts disables its webhook, unless another message got through meanwhile. */
const DISABLE_SQL = `
  UPDATE webhooks w SET disabled_at = $2, disabled_reason = $3, updated_at = $2
  WHERE w.id = $1 AND w.disabled_at IS NULL AND ($3 = 'gone' OR w.last_success_at IS NULL OR w.last_success_at < $4)
  RETURNING w.description`;

async function disable(
  client: pg.PoolClient,
  { webhookId, tries }: ClaimedDelivery,
  why: 'gone' | 'exhausted',
  now: Date,
): Promise<'gone' | 'failing' | undefined> {
  const reason = why === 'gone' ? 'gone' : 'failing';
  const firstTryAt = tries[0]?.at ?? now;
  const { rows } = await client.query<{ description: string }>(DISABLE_SQL, [webhookId, now, reason, firstTryAt]);
  if (rows[0] === undefined) return undefined;
  const data = {
    id: webhookId,
    description: rows[0].description,
    reason,
    links: { self: `/api/webhooks/${webhookId}` },
  };
  await announce(client, [{ type: 'webhook.disabled', at: now, data }], now);
  return reason;
}

/** Gives a message back that was not sent to its end, because this process stops. */
export async function releaseDelivery(database: Database, { id, claim }: ClaimedDelivery): Promise<void> {
  const sql = 'UPDATE webhook_deliveries SET claim = NULL, claimed_until = NULL WHERE id = $1 AND claim = $2';
  await database.pool.query(sql, [id, claim]);
}
