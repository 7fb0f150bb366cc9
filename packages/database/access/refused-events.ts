import type { Database } from '../sql/connect.ts';

/**
 * Why a batch of events, or an event in it, was not believed: without the signature of its enrolled host; with one that is not of its key; of
 * a host whose key was revoked; applied before; about a download of another host.
 */
export const REFUSAL_REASONS = ['unsigned', 'forged', 'revoked', 'replayed', 'foreign'] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];

export interface RefusedBatch {
  /** That the batch names; empty for the pool. */
  readonly host: string;
  readonly reason: RefusalReason;
  /** Events that were not believed. */
  readonly events: number;
  readonly detail: string;
}

export interface RefusedEventsRow {
  readonly host: string;
  readonly reason: RefusalReason;
  readonly hour: Date;
  readonly batches: number;
  readonly events: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
  readonly detail: string;
}

/**
 * Adds to the sums of the hour, so that a flood makes no flood of rows.
 *
 * @returns hosts and reasons that are new in this hour
 */
export async function addRefusedEvents(
  database: Database,
  refused: readonly RefusedBatch[],
  now: Date,
): Promise<Pick<RefusedEventsRow, 'host' | 'reason' | 'detail'>[]> {
  if (refused.length === 0) return [];
  const sql = `INSERT INTO refused_events AS r (host, reason, hour, batches, events, first_at, last_at, detail)
    SELECT e.host, e.reason, date_trunc('hour', $2::timestamptz, 'UTC'), count(*), sum(e.events), $2, $2, max(e.detail)
    FROM jsonb_to_recordset($1::jsonb) AS e (host text, reason text, events bigint, detail text)
    GROUP BY e.host, e.reason ORDER BY e.host, e.reason
    ON CONFLICT (host, reason, hour) DO UPDATE SET batches = r.batches + excluded.batches, events = r.events + excluded.events,
      last_at = excluded.last_at, detail = excluded.detail
    RETURNING r.host, r.reason, r.detail, r.xmax = 0 AS "isNew"`;
  type Row = Pick<RefusedEventsRow, 'host' | 'reason' | 'detail'> & { readonly isNew: boolean };
  const { rows } = await database.pool.query<Row>(sql, [JSON.stringify(refused), now]);
  return rows.filter(({ isNew }) => isNew);
}

/** Latest first. */
export async function listRefusedEvents(
  database: Database,
  filter: { readonly host?: string | undefined; readonly limit: number },
): Promise<RefusedEventsRow[]> {
  const sql = `SELECT r.host, r.reason, r.hour, r.batches, r.events, r.first_at AS "firstAt", r.last_at AS "lastAt", r.detail
    FROM refused_events r WHERE ($1::text IS NULL OR r.host = $1) ORDER BY r.last_at DESC, r.host, r.reason LIMIT $2`;
  return (await database.pool.query<RefusedEventsRow>(sql, [filter.host ?? null, filter.limit])).rows;
}

/** @returns how many batches were refused, by reason; every reason has a number */
export async function countRefusedBatches(database: Database): Promise<Record<RefusalReason, number>> {
  const sql = 'SELECT r.reason, sum(r.batches)::bigint AS batches FROM refused_events r GROUP BY r.reason';
  const { rows } = await database.pool.query<{ reason: RefusalReason; batches: number }>(sql);
  const counts = Object.fromEntries(REFUSAL_REASONS.map((reason) => [reason, 0]));
  for (const { reason, batches } of rows) counts[reason] = batches;
  return counts as Record<RefusalReason, number>;
}
