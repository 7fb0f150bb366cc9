import type pg from 'pg';
import type { RolloutHostState } from '#core/rollout/host-state';
import {
  ROLLOUT_STATES,
  isFinalRollout,
  rolloutStatesBefore,
  type PauseReason,
  type RolloutEvent,
} from '#core/rollout/rollout-state';
import { announceMove } from './announce-rollout.ts';
import { FINAL_HOST_LIST, nextHostSql, nextRolloutSql } from './state-sql.ts';

/** A connection in a transaction that holds the row of the rollout. */
export type Client = Pick<pg.ClientBase, 'query'>;

export interface RolloutMove {
  readonly event: RolloutEvent;
  /** Why, for people. */
  readonly reason: string;
  readonly pauseReason?: PauseReason | undefined;
  readonly soakUntil?: Date | undefined;
  /** The token that asked for it; undefined for the rollout's own moves. */
  readonly actor?: string | undefined;
}

const FINAL = ROLLOUT_STATES.filter(isFinalRollout);

/**
 * Moves a rollout and writes the event, in one statement; webhooks that want to know of the move are told.
 *
 * @returns false when the event is illegal where the rollout stands; nothing changed then
 */
export async function moveRollout(client: Client, id: string, move: RolloutMove, now: Date): Promise<boolean> {
  const next = nextRolloutSql(move.event, 'old.state');
  const sql = `
    WITH old AS (SELECT r.id, r.state FROM rollouts r WHERE r.id = $1 AND r.state = ANY($3::text[])), moved AS (
      UPDATE rollouts r SET state = ${next}, reason = $4, pause_reason = $5,
        soak_until = coalesce($6, r.soak_until),
        started_at = CASE WHEN $7 = 'start' THEN $2 ELSE r.started_at END,
        ended_at = CASE WHEN ${next} = ANY($9::text[]) THEN $2::timestamptz END,
        is_holding = $7 IN ('succeed', 'succeed_partly') AND (r.spec->>'hold')::boolean IS TRUE,
        version = r.version + 1, updated_at = $2
      FROM old WHERE r.id = old.id RETURNING r.id, old.state AS from_state, r.state AS to_state
    )
    INSERT INTO rollout_events (rollout_id, at, event, from_state, to_state, reason, actor)
    SELECT id, $2, $7, from_state, to_state, $4, $8 FROM moved`;
  const { event, reason, pauseReason = null, soakUntil = null, actor = null } = move;
  const before = rolloutStatesBefore(event);
  const parameters = [id, now, before, reason, pauseReason, soakUntil, event, actor, FINAL];
  if ((await client.query(sql, parameters)).rowCount !== 1) return false;
  await announceMove(client, id, move, now);
  return true;
}

/** One host that moved. */
export interface MovedHost {
  readonly host: string;
  readonly state: RolloutHostState;
}

/**
 * Moves hosts of a rollout and writes their events, in one statement. Illegal moves are left out.
 *
 * @param due a query with the columns host, from_state, event, failure_class and reason; `$1` is the rollout, `$2` the time
 * @param more parameters of the query from `$3` on
 */
export async function moveHosts(
  client: Client,
  rolloutId: string,
  due: string,
  more: readonly unknown[],
  now: Date,
): Promise<MovedHost[]> {
  const next = nextHostSql('due.event', 'due.from_state');
  const sql = `
    WITH due AS MATERIALIZED (${due}), moved AS (
      UPDATE rollout_hosts h SET state = ${next}, failure_class = due.failure_class, reason = due.reason,
        bytes_per_second = 0, is_blocked = false,
        ended_at = CASE WHEN ${next} IN (${FINAL_HOST_LIST}) THEN $2::timestamptz END, updated_at = $2
      FROM due WHERE h.rollout_id = $1 AND h.host = due.host AND h.state = due.from_state AND ${next} IS NOT NULL
      RETURNING h.host, due.from_state, h.state AS to_state, due.event, h.reason
    ), told AS (
      INSERT INTO rollout_events (rollout_id, at, host, event, from_state, to_state, reason)
      SELECT $1, $2, host, event, from_state, to_state, reason FROM moved ORDER BY host
    )
    SELECT host, to_state AS state FROM moved`;
  return (await client.query<MovedHost>(sql, [rolloutId, now, ...more])).rows;
}

/** Clears what a host that was moved back had of its downloads and its activation, so that it starts like a new one. */
export async function beginAnew(client: Client, rolloutId: string, hosts: readonly string[]): Promise<void> {
  const links = 'DELETE FROM rollout_downloads WHERE rollout_id = $1 AND host = ANY($2::text[])';
  await client.query(links, [rolloutId, hosts]);
  const reset = `UPDATE rollout_hosts SET bytes = 0, dispatched_at = NULL, progress_at = NULL, activating_at = NULL,
      ordered_at = NULL, activated_at = NULL, activation_class = NULL, activation_error = NULL
    WHERE rollout_id = $1 AND host = ANY($2::text[])`;
  await client.query(reset, [rolloutId, hosts]);
}
