import type { RolloutHostState } from '#core/rollout/host-state';
import type { RolloutState } from '#core/rollout/rollout-state';
import { shownHostSql } from '../hosts/shown-host-sql.ts';
import type { Database } from '../sql/connect.ts';
import { ROLLOUT_COLUMNS, ROLLOUT_HOST_COLUMNS, type RolloutHostRow, type RolloutRow } from './rollout-row.ts';

/** A position in a list that is sorted by time and id, newest first. */
interface Position {
  readonly createdAt: Date;
  readonly id: string;
}

export interface RolloutFilter {
  readonly states?: readonly RolloutState[] | undefined;
  readonly model?: string | undefined;
  readonly limit: number;
  readonly after?: Position | undefined;
}

export async function rolloutById(database: Database, id: string): Promise<RolloutRow | undefined> {
  const sql = `SELECT ${ROLLOUT_COLUMNS} FROM rollouts r WHERE r.id = $1`;
  return (await database.pool.query<RolloutRow>(sql, [id])).rows[0];
}

/** Newest first. @returns at most one row more than the limit, which says that there is another page */
export async function listRollouts(database: Database, filter: RolloutFilter): Promise<RolloutRow[]> {
  const sql = `SELECT ${ROLLOUT_COLUMNS} FROM rollouts r
    WHERE ($1::text[] IS NULL OR r.state = ANY($1))
      AND ($2::text IS NULL OR EXISTS (SELECT 1 FROM jsonb_array_elements(r.models) m WHERE m->>'name' = $2))
      AND ($3::timestamptz IS NULL OR (r.created_at, r.id) < ($3, $4::uuid))
    ORDER BY r.created_at DESC, r.id DESC LIMIT $5`;
  const { states = null, model = null, after, limit } = filter;
  const parameters = [states, model, after?.createdAt ?? null, after?.id ?? null, limit + 1];
  return (await database.pool.query<RolloutRow>(sql, parameters)).rows;
}

interface RolloutHostFilter {
  readonly states?: readonly RolloutHostState[] | undefined;
  /** Failure class. */
  readonly reason?: string | undefined;
  /** Part of the name. */
  readonly text?: string | undefined;
  readonly afterName: string;
  readonly limit: number;
}

/** By name. @returns at most one row more than the limit, which says that there is another page */
export async function listRolloutHosts(
  database: Database,
  id: string,
  { states = [], reason, text, afterName, limit }: RolloutHostFilter,
): Promise<RolloutHostRow[]> {
  const sql = `SELECT ${ROLLOUT_HOST_COLUMNS} FROM rollout_hosts h
    WHERE h.rollout_id = $1 AND h.host > $2 AND (cardinality($3::text[]) = 0 OR h.state = ANY($3))
      AND ($4::text IS NULL OR h.failure_class = $4) AND ($5::text IS NULL OR strpos(h.host, lower($5)) > 0)
    ORDER BY h.host LIMIT $6`;
  const parameters = [id, afterName, states, reason ?? null, text ?? null, limit + 1];
  return (await database.pool.query<RolloutHostRow>(sql, parameters)).rows;
}

/** Failed hosts with the same failure class. */
export interface ErrorGroup {
  readonly reason: string;
  readonly count: number;
  /** Of one of them. */
  readonly message: string | null;
  readonly firstAt: Date;
  readonly lastAt: Date;
  /** At most ten names. */
  readonly hosts: string[];
}

/** Most hosts first. */
export async function errorGroups(database: Database, id: string): Promise<ErrorGroup[]> {
  const sql = `SELECT coalesce(h.failure_class, h.state) AS reason, count(*) AS count, min(h.reason) AS message,
      min(h.ended_at) AS "firstAt", max(h.ended_at) AS "lastAt", (array_agg(${shownHostSql('h.host')} ORDER BY h.host))[1:10] AS hosts
    FROM rollout_hosts h WHERE h.rollout_id = $1 AND h.state IN ('failed', 'cancelled') GROUP BY 1
    ORDER BY count(*) DESC, 1`;
  return (await database.pool.query<ErrorGroup>(sql, [id])).rows;
}

export interface RolloutEventRow {
  readonly sequence: number;
  readonly at: Date;
  readonly host: string | null;
  readonly event: string;
  readonly fromState: string | null;
  readonly toState: string;
  readonly reason: string | null;
  readonly actor: string | null;
}

/** Oldest first, after the given sequence. */
export async function listRolloutEvents(
  database: Database,
  id: string,
  after: number,
  limit: number,
): Promise<RolloutEventRow[]> {
  const sql = `SELECT e.sequence, e.at, ${shownHostSql('e.host')} AS host, e.event, e.from_state AS "fromState", e.to_state AS "toState", e.reason, e.actor
    FROM rollout_events e WHERE e.rollout_id = $1 AND e.sequence > $2 ORDER BY e.sequence LIMIT $3`;
  return (await database.pool.query<RolloutEventRow>(sql, [id, after, limit])).rows;
}
