import type { WebhookEventType } from '#core/webhook/event-types';
import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';
import { bodyOf } from './announce.ts';

export type DeliveryState = 'pending' | 'delivered' | 'failed';

/** One attempt to send a message. */
export interface DeliveryTry {
  /** ISO 8601. */
  readonly at: string;
  /** Null when there was no answer. */
  readonly status: number | null;
  readonly error: string | null;
  readonly ms: number;
}

export interface DeliveryRow {
  readonly id: string;
  readonly webhookId: string;
  readonly eventId: string;
  readonly type: WebhookEventType;
  readonly at: Date;
  readonly body: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly nextAttemptAt: Date;
  readonly tries: readonly DeliveryTry[];
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

const COLUMNS = `d.id, d.webhook_id AS "webhookId", d.event_id AS "eventId", e.type, e.at, e.body, d.state, d.attempts,
  d.next_attempt_at AS "nextAttemptAt", d.tries, d.created_at AS "createdAt", d.ended_at AS "endedAt"`;

const FROM = 'FROM webhook_deliveries d JOIN webhook_events e ON e.id = d.event_id';

export interface DeliveryFilter {
  readonly state?: DeliveryState | undefined;
  readonly type?: string | undefined;
  readonly limit: number;
  readonly after?: { readonly createdAt: Date; readonly id: string } | undefined;
}

/** Newest first. @returns at most one row more than the limit, which says that there is another page */
export async function listDeliveries(
  database: Database,
  webhookId: string,
  { state = undefined, type, limit, after }: DeliveryFilter,
): Promise<DeliveryRow[]> {
  const sql = `SELECT ${COLUMNS} ${FROM}
    WHERE d.webhook_id = $1 AND ($2::text IS NULL OR d.state = $2) AND ($3::text IS NULL OR e.type = $3)
      AND ($4::timestamptz IS NULL OR (d.created_at, d.id) < ($4, $5::uuid))
    ORDER BY d.created_at DESC, d.id DESC LIMIT $6`;
  const parameters = [webhookId, state ?? null, type ?? null, after?.createdAt ?? null, after?.id ?? null, limit + 1];
  return (await database.pool.query<DeliveryRow>(sql, parameters)).rows;
}

export async function deliveryById(
  database: Database,
  webhookId: string,
  id: string,
): Promise<DeliveryRow | undefined> {
  const sql = `SELECT ${COLUMNS} ${FROM} WHERE d.webhook_id = $1 AND d.id = $2`;
  return (await database.pool.query<DeliveryRow>(sql, [webhookId, id])).rows[0];
}

/** Writes an event for one webhook alone, whatever types it wants. @returns the id of its delivery */
export async function tellOne(
  database: Database,
  webhookId: string,
  event: { readonly type: WebhookEventType; readonly data: object },
  now: Date,
): Promise<string> {
  const sql = `
    WITH written AS (INSERT INTO webhook_events (type, at, body) VALUES ($2, $4, $3) RETURNING id)
    INSERT INTO webhook_deliveries (webhook_id, event_id, next_attempt_at, created_at)
    SELECT $1, id, $4, $4 FROM written RETURNING id`;
  const parameters = [webhookId, event.type, bodyOf({ ...event, at: now }), now];
  return inTransaction(database, async (client) => (await client.query<{ id: string }>(sql, parameters)).rows[0]!.id);
}

export interface ReplayFilter {
  /** Only this one. */
  readonly id?: string | undefined;
  readonly state?: DeliveryState | undefined;
  /** Only those that were made at this moment or later. */
  readonly since?: Date | undefined;
}

/** Sends messages again, with the ids they had; a message that is being sent now is left out. @returns how many */
export async function replayDeliveries(
  database: Database,
  webhookId: string,
  { id, state, since }: ReplayFilter,
  now: Date,
): Promise<number> {
  const sql = `UPDATE webhook_deliveries d SET state = 'pending', attempts = 0, next_attempt_at = $5, ended_at = NULL
    WHERE d.webhook_id = $1 AND ($2::uuid IS NULL OR d.id = $2) AND ($3::text IS NULL OR d.state = $3)
      AND ($4::timestamptz IS NULL OR d.created_at >= $4)
      AND (d.claimed_until IS NULL OR d.claimed_until < clock_timestamp())`;
  const parameters = [webhookId, id ?? null, state ?? null, since ?? null, now];
  return (await database.pool.query(sql, parameters)).rowCount ?? 0;
}

/** Forgets events that are older and that no delivery waits for. @returns how many */
export async function forgetEvents(database: Database, before: Date): Promise<number> {
  const sql = `DELETE FROM webhook_events e WHERE e.at < $1 AND NOT EXISTS (
      SELECT 1 FROM webhook_deliveries d WHERE d.event_id = e.id AND d.state = 'pending'
    )`;
  return (await database.pool.query(sql, [before])).rowCount ?? 0;
}
