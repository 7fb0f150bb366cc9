import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';

/** Why a webhook is not told anything. */
export type DisabledReason = 'manual' | 'gone' | 'failing';

/** One row of `webhooks`, without its secrets. */
export interface WebhookRow {
  readonly id: string;
  readonly url: string;
  readonly description: string;
  readonly events: string[];
  readonly disabledAt: Date | null;
  readonly disabledReason: DisabledReason | null;
  readonly notBefore: Date | null;
  readonly lastSuccessAt: Date | null;
  readonly previousUntil: Date | null;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly pending: number;
}

const COLUMNS = `w.id, w.url, w.description, w.events, w.disabled_at AS "disabledAt", w.disabled_reason AS "disabledReason",
  w.not_before AS "notBefore", w.last_success_at AS "lastSuccessAt", w.previous_until AS "previousUntil",
  w.created_by AS "createdBy", w.created_at AS "createdAt", w.updated_at AS "updatedAt",
  (SELECT count(*) FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.state = 'pending') AS pending`;

export interface NewWebhook {
  readonly url: string;
  readonly description: string;
  readonly events: readonly string[];
  /** `whsec_…` */
  readonly secret: string;
  /** Name of the token. */
  readonly createdBy: string;
}

/** @returns undefined when there are `most` webhooks already */
export async function createWebhook(
  database: Database,
  { url, description, events, secret, createdBy }: NewWebhook,
  most: number,
  now: Date,
): Promise<WebhookRow | undefined> {
  return inTransaction(database, async (client) => {
    await client.query("SELECT pg_advisory_xact_lock(hashtext('haulier webhooks'))");
    const { rows: counted } = await client.query<{ count: number }>('SELECT count(*) AS count FROM webhooks');
    if (counted[0]!.count >= most) return undefined;
    const sql = `INSERT INTO webhooks AS w (url, description, events, secret, created_by, created_at, updated_at)
      VALUES ($1, $2, $3, $4, $5, $6, $6) RETURNING ${COLUMNS}`;
    return (await client.query<WebhookRow>(sql, [url, description, events, secret, createdBy, now])).rows[0];
  });
}

/** Oldest first. */
export async function listWebhooks(database: Database): Promise<WebhookRow[]> {
  return (await database.pool.query<WebhookRow>(`SELECT ${COLUMNS} FROM webhooks w ORDER BY w.created_at, w.id`)).rows;
}

export async function webhookById(database: Database, id: string): Promise<WebhookRow | undefined> {
  return (await database.pool.query<WebhookRow>(`SELECT ${COLUMNS} FROM webhooks w WHERE w.id = $1`, [id])).rows[0];
}

export interface WebhookChange {
  readonly url?: string | undefined;
  readonly description?: string | undefined;
  readonly events?: readonly string[] | undefined;
  readonly enabled?: boolean | undefined;
}

/** What is left out stays. Enabling one that is disabled sends what waits at once. @returns undefined when there is none */
export async function changeWebhook(
  database: Database,
  id: string,
  { url, description, events, enabled }: WebhookChange,
  now: Date,
): Promise<WebhookRow | undefined> {
  const sql = `UPDATE webhooks w SET url = coalesce($2, w.url), description = coalesce($3, w.description),
      events = coalesce($4, w.events), updated_at = $6,
      disabled_at = CASE WHEN $5 THEN NULL WHEN NOT $5 THEN coalesce(w.disabled_at, $6) ELSE w.disabled_at END,
      disabled_reason = CASE WHEN $5 THEN NULL WHEN NOT $5 THEN coalesce(w.disabled_reason, 'manual') ELSE w.disabled_reason END,
      not_before = CASE WHEN $5 THEN NULL ELSE w.not_before END
    WHERE w.id = $1 RETURNING ${COLUMNS}`;
  const parameters = [id, url ?? null, description ?? null, events ?? null, enabled ?? null, now];
  return (await database.pool.query<WebhookRow>(sql, parameters)).rows[0];
}

/** Its deliveries go with it. @returns whether there was one */
export async function deleteWebhook(database: Database, id: string): Promise<boolean> {
  return (await database.pool.query('DELETE FROM webhooks WHERE id = $1', [id])).rowCount === 1;
}

/** The former secret signs beside the new one until `previousUntil`. @returns undefined when there is no such webhook */
export async function rotateSecret(
  database: Database,
  id: string,
  secret: string,
  previousUntil: Date,
  now: Date,
): Promise<WebhookRow | undefined> {
  const sql = `UPDATE webhooks w SET previous_secret = w.secret, previous_until = $3, secret = $2, updated_at = $4
    WHERE w.id = $1 RETURNING ${COLUMNS}`;
  return (await database.pool.query<WebhookRow>(sql, [id, secret, previousUntil, now])).rows[0];
}
