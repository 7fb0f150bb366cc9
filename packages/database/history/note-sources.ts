import type { Layer } from '#core/layer';
import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';
import { announce } from '../webhooks/announce.ts';

/** A source whose state changed. */
export interface ChangedSource {
  readonly layer: Layer;
  readonly source: string;
  readonly state: 'healthy' | 'degraded';
  readonly attempts: number;
  readonly successes: number;
  readonly lastError: string | null;
}

/** Fewer tries in the window say nothing. */
const LEAST_TRIES = 10;
const DEGRADED_BELOW = 0.5;
const HEALTHY_FROM = 0.9;

/**
 * Only sources outside of the fleet. What a try says about the content (it is missing, or this token may not read it) and tries that
 * were stopped by their worker say nothing about the source. Between the two limits a source keeps the state that it has.
 */
const NOTE_SQL = `
  WITH seen AS (
    SELECT t.layer, t.source, count(*) AS attempts, count(*) FILTER (WHERE t.status = 'success') AS successes,
      (array_agg(coalesce(t.error_message, t.error_kind) ORDER BY t.at DESC) FILTER (WHERE t.status = 'failure'))[1] AS last_error
    FROM tries t
    WHERE t.at >= $1 AND t.day >= ($1::timestamptz AT TIME ZONE 'UTC')::date AND t.layer IN ('ipfs', 'huggingface')
      AND coalesce(t.error_kind, '') NOT IN ('missing', 'forbidden', 'aborted', 'size-mismatch')
    GROUP BY t.layer, t.source HAVING count(*) >= ${LEAST_TRIES}
  ), judged AS (
    SELECT s.*, CASE WHEN successes < ${DEGRADED_BELOW} * attempts THEN 'degraded'
      WHEN successes >= ${HEALTHY_FROM} * attempts THEN 'healthy' END AS state
    FROM seen s
  ), changed AS (
    INSERT INTO source_states AS o (layer, source, state, since)
    SELECT layer, source, state, $2 FROM judged WHERE state IS NOT NULL ORDER BY layer, source
    ON CONFLICT (layer, source) DO UPDATE SET state = excluded.state, since = excluded.since WHERE o.state <> excluded.state
    RETURNING o.layer, o.source, o.state, o.xmax = 0 AS "isNew"
  )
  SELECT c.layer, c.source, c.state, j.attempts, j.successes, j.last_error AS "lastError"
  FROM changed c JOIN judged j USING (layer, source) WHERE c.state = 'degraded' OR NOT c."isNew"
  ORDER BY c.layer, c.source`;

/**
 * Judges the sources by their tries since a moment, and tells webhooks which degraded and which recovered. Each change is told once,
 * however many processes look.
 */
export async function noteSources(database: Database, since: Date, now: Date): Promise<ChangedSource[]> {
  return inTransaction(database, async (client) => {
    const changed = (await client.query<ChangedSource>(NOTE_SQL, [since, now])).rows;
    const announcements = changed.map((source) => {
      const type = source.state === 'degraded' ? ('source.degraded' as const) : ('source.recovered' as const);
      return { type, at: now, data: { ...source, since } };
    });
    await announce(client, announcements, now);
    return changed;
  });
}
