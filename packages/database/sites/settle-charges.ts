import { MINUTE_MS } from '#core/units';
import type { Database } from '../sql/connect.ts';

/** The worker of a download that was cancelled reports its last tries within this time. */
export const LAST_TRIES_MS = MINUTE_MS;

const AT_ONCE = 500;

/** So far the clock of a host may be behind ours; older partitions of the tries are not looked at. */
const CLOCK_DAYS = 2;

/** From outside the site: not from its peers, and not from the disk of the host. */
const FROM_OUTSIDE = (layer: string, kind: string, origin: string): string =>
  `${layer} <> 'peer' AND ${kind} <> 'local' AND (${kind} <> 'bundle' OR ${origin} LIKE '%://%')`;

/**
 * `$1` is the time. A charge is due once all its downloads have ended. `moved` has the bytes of each day in three parts: the tries; what an
 * attempt kept whose worker did not report its end; and files of one block, which have no try.
 */
const SETTLE_SQL = `
  WITH due AS MATERIALIZED (
    SELECT c.sequence, c.site, c.at, c.downloads, c.generations FROM site_charges c
    WHERE c.settled_at IS NULL AND c.downloads IS NOT NULL AND NOT EXISTS (
      SELECT 1 FROM unnest(c.downloads) AS l (id) JOIN downloads d ON d.id = l.id
      WHERE d.status IN ('pending', 'in_progress', 'resuming', 'paused')
        OR (d.status = 'cancelled' AND d.completed_at > $1::timestamptz - ${LAST_TRIES_MS} * interval '1 millisecond')
    )
    ORDER BY c.sequence LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED
  ), ended AS MATERIALIZED (
    SELECT u.sequence, (u.at AT TIME ZONE 'UTC')::date - ${CLOCK_DAYS} AS since, l.generation AS from_generation, d.*
    FROM due u CROSS JOIN LATERAL unnest(u.downloads, u.generations) AS l (id, generation) JOIN downloads d ON d.id = l.id
  ), tried AS MATERIALIZED (
    SELECT e.sequence, e.id, t.day, t.at, t.committed_bytes,
      CASE WHEN ${FROM_OUTSIDE('t.layer', 't.kind', "coalesce(t.origin, '://')")} THEN t.bytes ELSE 0 END AS bytes
    FROM ended e JOIN tries t ON t.download_id = e.id AND t.generation >= e.from_generation AND t.day >= e.since
  ), moved AS (
    SELECT t.sequence, t.day, t.bytes FROM tried t
    UNION ALL
    SELECT e.sequence, (e.event_at AT TIME ZONE 'UTC')::date, greatest(0, e.downloaded_bytes - e.resumed_bytes - coalesce((
        SELECT sum(t.committed_bytes) FROM tried t WHERE t.sequence = e.sequence AND t.id = e.id AND t.at >= e.last_attempt_at
      ), 0))
    FROM ended e WHERE e.status = 'cancelled' AND e.generation >= e.from_generation AND e.last_attempt_at IS NOT NULL
      AND e.event_at IS NOT NULL
      AND ${FROM_OUTSIDE("e.source_place->>'layer'", "e.source_place->>'kind'", "e.source_place->>'origin'")}
    UNION ALL
    SELECT e.sequence, (e.completed_at AT TIME ZONE 'UTC')::date, s.bytes
    FROM ended e CROSS JOIN LATERAL jsonb_to_recordset(e.sources) AS s (layer text, bytes bigint)
    WHERE e.status = 'success' AND s.layer = 'ipfs'
      AND NOT EXISTS (SELECT 1 FROM tried t WHERE t.sequence = e.sequence AND t.id = e.id AND t.bytes > 0)
  ), settled AS (
    UPDATE site_charges c SET settled_at = $1, bytes = coalesce((SELECT sum(m.bytes) FROM moved m WHERE m.sequence = u.sequence), 0)
    FROM due u WHERE c.sequence = u.sequence AND c.settled_at IS NULL RETURNING c.sequence, c.site
  ), counted AS (
    INSERT INTO site_days AS o (site, day, bytes)
    SELECT s.site, m.day, sum(m.bytes) FROM settled s JOIN moved m ON m.sequence = s.sequence
    GROUP BY s.site, m.day HAVING sum(m.bytes) > 0 ORDER BY s.site, m.day
    ON CONFLICT (site, day) DO UPDATE SET bytes = o.bytes + excluded.bytes
  )
  SELECT count(*) AS settled FROM settled`;

/**
 * Makes charges whose downloads have ended what these really moved from outside the site: nothing for a file that was there, more than
 * the file where a try brought bytes that were thrown away. Counts it for the day of the tries. Each charge is settled once, by one of
 * several processes.
 *
 * @returns true when there may be more
 */
export async function settleCharges(database: Database, now: Date): Promise<boolean> {
  const { rows } = await database.pool.query<{ settled: number }>(SETTLE_SQL, [now]);
  return rows[0]!.settled === AT_ONCE;
}

/** Bytes that settled charges moved on a day. */
export interface SiteDay {
  /** UTC, such as `2026-11-30`. */
  readonly day: string;
  readonly bytes: number;
}

/** @returns the days of each site that ended at most so many days ago, newest first; days without bytes are left out */
export async function daysBySite(
  database: Database,
  days: number,
  now: Date,
): Promise<ReadonlyMap<string, readonly SiteDay[]>> {
  const sql = `SELECT s.site, jsonb_agg(jsonb_build_object('day', s.day, 'bytes', s.bytes) ORDER BY s.day DESC) AS days
    FROM site_days s WHERE s.day >= ($1::timestamptz AT TIME ZONE 'UTC')::date - $2::int GROUP BY s.site`;
  const { rows } = await database.pool.query<{ site: string; days: SiteDay[] }>(sql, [now, days]);
  return new Map(rows.map((row) => [row.site, row.days]));
}

/** Deletes the counts of days before the given moment. */
export async function dropSiteDays(database: Database, olderThan: Date): Promise<void> {
  await database.pool.query('DELETE FROM site_days WHERE day < $1::date', [olderThan.toISOString().slice(0, 10)]);
}
