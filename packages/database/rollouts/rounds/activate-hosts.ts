import { SECOND_MS } from '#core/units';
import type { Database } from '../../sql/connect.ts';
import { moveHosts, type Client } from '../moves.ts';
import { FINAL_HOST_LIST } from '../state-sql.ts';

/** A host that is to show what it stored. */
export interface ActivationOrder {
  readonly host: string;
  /** Tells this activation of the host from an earlier one. */
  readonly activatingAt: Date;
}

/** An order without an answer is given again after this long: Redis may have lost it. */
const ORDERED_AGAIN_MS = 30 * SECOND_MS;

const STAGED_SQL = `
  SELECT h.host, h.state AS from_state, 'activate' AS event, NULL AS failure_class, NULL AS reason
  FROM rollout_hosts h WHERE h.rollout_id = $1 AND h.state = 'staged'`;

/** Begins the activation of every host that is staged. */
export async function activateStaged(client: Client, rolloutId: string, now: Date): Promise<void> {
  const moved = await moveHosts(client, rolloutId, STAGED_SQL, [], now);
  const sql = `UPDATE rollout_hosts SET activating_at = $3, progress_at = $3, ordered_at = NULL, activated_at = NULL,
      activation_class = NULL, activation_error = NULL
    WHERE rollout_id = $1 AND host = ANY($2::text[])`;
  await client.query(sql, [rolloutId, moved.map(({ host }) => host), now]);
}

/** @returns the hosts without an answer whose order is to be given to Redis, now or again */
export async function dueOrders(client: Client, rolloutId: string, now: Date): Promise<ActivationOrder[]> {
  const sql = `UPDATE rollout_hosts SET ordered_at = $2
    WHERE rollout_id = $1 AND state = 'activating' AND activated_at IS NULL
      AND (ordered_at IS NULL OR ordered_at <= $2::timestamptz - $3::int * interval '1 millisecond')
    RETURNING host, activating_at AS "activatingAt"`;
  return (await client.query<ActivationOrder>(sql, [rolloutId, now, ORDERED_AGAIN_MS])).rows;
}

/** An order that was given and is not wanted any more. */
export interface WithdrawnOrder {
  readonly rolloutId: string;
  readonly host: string;
}

/** @returns orders without an answer to hosts that have ended in their rollout: cancelled, failed or taken by a newer one */
export async function withdrawnOrders(database: Database, limit: number): Promise<WithdrawnOrder[]> {
  const sql = `SELECT h.rollout_id AS "rolloutId", h.host FROM rollout_hosts h
    WHERE h.ordered_at IS NOT NULL AND h.activated_at IS NULL AND h.state IN (${FINAL_HOST_LIST}) LIMIT $1`;
  return (await database.pool.query<WithdrawnOrder>(sql, [limit])).rows;
}

/** These orders are out of Redis. One that a retry gave meanwhile is left. */
export async function forgetOrders(database: Database, orders: readonly WithdrawnOrder[]): Promise<void> {
  const sql = `UPDATE rollout_hosts h SET ordered_at = NULL
    FROM jsonb_to_recordset($1::jsonb) AS o ("rolloutId" uuid, host text)
    WHERE h.rollout_id = o."rolloutId" AND h.host = o.host AND h.activated_at IS NULL AND h.state IN (${FINAL_HOST_LIST})`;
  await database.pool.query(sql, [JSON.stringify(orders)]);
}

/** What a host's worker answered. */
export interface Activation {
  readonly host: string;
  readonly rollout: string;
  /** Of the order; milliseconds since 1970. */
  readonly requestedAt: number;
  /** Failure class; null when the host shows the models. */
  readonly errorKind: string | null;
  readonly message: string | null;
}

/** Notes the answers of hosts; one to an earlier order, and one that was noted before, change nothing. */
export async function noteActivations(database: Database, answers: readonly Activation[], now: Date): Promise<void> {
  if (answers.length === 0) return;
  const sql = `UPDATE rollout_hosts h SET activated_at = $2, activation_class = e."errorKind", activation_error = e.message
    FROM jsonb_to_recordset($1::jsonb)
      AS e (host text, rollout uuid, "requestedAt" bigint, "errorKind" text, message text)
    WHERE h.rollout_id = e.rollout AND h.host = e.host AND h.activated_at IS NULL
      AND h.activating_at = 'epoch'::timestamptz + e."requestedAt" * interval '1 millisecond'`;
  await database.pool.query(sql, [JSON.stringify(answers), now]);
}
