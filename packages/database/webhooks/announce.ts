import type pg from 'pg';
import { patternsOf, type WebhookEventType } from '#core/webhook/event-types';

/** A connection in the transaction that makes happen what is announced. */
type Client = Pick<pg.ClientBase, 'query'>;

/** One event for every webhook that wants its type. */
export interface Announcement {
  readonly type: WebhookEventType;
  readonly at: Date;
  readonly data: object;
  /** Announcements with one key are told once; left out: every one is. */
  readonly key?: string | undefined;
}

/** The text that is sent, and signed. */
export const bodyOf = ({ type, at, data }: Announcement): string =>
  JSON.stringify({ type, timestamp: at.toISOString(), data });

const WANTS = 'w.disabled_at IS NULL AND w.events && $1::text[]';

/** Whether a webhook wants the type at all; so nothing is gathered for an event that is told to none. */
export async function isWanted(client: Client, type: WebhookEventType): Promise<boolean> {
  return (await client.query(`SELECT 1 FROM webhooks w WHERE ${WANTS} LIMIT 1`, [patternsOf(type)])).rowCount === 1;
}

const ANNOUNCE_SQL = `
  WITH said AS MATERIALIZED (
    SELECT gen_random_uuid() AS id, e.* FROM jsonb_to_recordset($1::jsonb)
      AS e (type text, patterns text[], at timestamptz, body text, key text)
  ), wanted AS MATERIALIZED (
    SELECT s.id AS event_id, w.id AS webhook_id FROM said s
    JOIN webhooks w ON w.disabled_at IS NULL AND w.events && s.patterns
  ), written AS (
    INSERT INTO webhook_events (id, key, type, at, body)
    SELECT s.id, s.key, s.type, s.at, s.body FROM said s WHERE s.id IN (SELECT event_id FROM wanted)
    ON CONFLICT (key) DO NOTHING RETURNING id
  )
  INSERT INTO webhook_deliveries (webhook_id, event_id, next_attempt_at, created_at)
  SELECT w.webhook_id, n.id, $2, $2 FROM written n JOIN wanted w ON w.event_id = n.id`;

/**
 * Writes events and their deliveries, in the transaction of the caller: what is rolled back is never told, what is committed is
 * told even when this process ends now.
 *
 * @param now when they may be sent
 */
export async function announce(client: Client, announcements: readonly Announcement[], now: Date): Promise<void> {
  if (announcements.length === 0) return;
  const said = announcements.map((one) => ({
    type: one.type,
    patterns: patternsOf(one.type),
    at: one.at,
    body: bodyOf(one),
    key: one.key ?? null,
  }));
  await client.query(ANNOUNCE_SQL, [JSON.stringify(said), now]);
}
