import type { LayerName, SourceKind } from '#core/layer';
import { DAY_MS } from '#core/units';
import type { Database } from '../sql/connect.ts';

/** A source that was tried, or that workers are configured with. */
export interface SourceRow {
  readonly layer: LayerName;
  readonly kind: SourceKind;
  readonly origin: string;
  readonly lastSuccessAt: Date | null;
  readonly lastFailureAt: Date | null;
  readonly lastError: string | null;
  /** Place that most workers are configured with; null for a source that manifests name. */
  readonly configuredPlace: number | null;
  /** Place in the order that an admin set for its layer, from 1; null when it is not in it. */
  readonly setPlace: number | null;
  /** Workers by what their breaker of the source is. */
  readonly closed: number;
  readonly open: number;
  readonly halfOpen: number;
  readonly openUntil: Date | null;
  readonly waitMs: number;
  /** Means over the workers that measured it. */
  readonly successRate: number | null;
  readonly bytesPerSecond: number | null;
  readonly requestsPerMinute: number | null;
  readonly connections: number | null;
  /** Since when its tries are judged as they are now. */
  readonly judgedSince: Date | null;
  readonly disabled: DisabledRow | null;
}

export interface DisabledRow {
  readonly origin: string;
  readonly note: string;
  readonly by: string;
  readonly at: Date;
  readonly until: Date | null;
}

/** Sources that nothing was heard of for longer are not listed, unless they are disabled. */
const LISTED_MS = 30 * DAY_MS;

/** Reports with the same place are added up first: then no order of all reports is needed, which would be most of the work. */
const LIST_SQL = `
  WITH told AS (
    SELECT r.layer, r.kind, r.origin, r.place, count(*) AS workers,
      count(*) FILTER (WHERE r.breaker = 'closed') AS closed, count(*) FILTER (WHERE r.breaker = 'open') AS open,
      count(*) FILTER (WHERE r.breaker = 'half-open') AS half_open,
      max(h.reported_at + r."waitMs" * interval '1 millisecond') FILTER (WHERE r.breaker = 'open') AS open_until,
      max(greatest(0, r."waitMs" - extract(epoch FROM $1::timestamptz - h.reported_at) * 1000))::bigint AS wait_ms,
      sum(r."successRate") AS success_rates, count(r."successRate") AS with_success_rate,
      sum(r."bytesPerSecond") AS bytes_per_second, count(r."bytesPerSecond") AS with_bytes_per_second,
      min(r."requestsPerMinute") AS requests_per_minute, min(r.connections) AS connections
    FROM hosts h CROSS JOIN jsonb_to_recordset(h.source_reports) AS r (layer text, kind text, origin text, place int, breaker text,
      "waitMs" bigint, "successRate" float8, "bytesPerSecond" float8, "requestsPerMinute" int, connections int)
    WHERE h.last_seen_at >= $2 GROUP BY r.layer, r.kind, r.origin, r.place
  ), reported AS (
    SELECT t.layer, t.kind, t.origin, (array_agg(t.place ORDER BY t.workers DESC, t.place) FILTER (WHERE t.place IS NOT NULL))[1] AS place,
      sum(t.closed)::bigint AS closed, sum(t.open)::bigint AS open, sum(t.half_open)::bigint AS half_open, max(t.open_until) AS open_until,
      max(t.wait_ms) AS wait_ms, sum(t.success_rates) / nullif(sum(t.with_success_rate), 0)::float8 AS success_rate,
      sum(t.bytes_per_second) / nullif(sum(t.with_bytes_per_second), 0)::float8 AS bytes_per_second,
      min(t.requests_per_minute) AS requests_per_minute, min(t.connections) AS connections
    FROM told t GROUP BY t.layer, t.kind, t.origin
  ), known AS (
    SELECT layer, kind, origin FROM reported
    UNION SELECT s.layer, s.kind, s.origin FROM sources_tried s
      WHERE greatest(s.last_success_at, s.last_failure_at) >= $3 OR EXISTS (SELECT FROM disabled_sources d WHERE d.origin = s.origin)
  )
  SELECT k.layer, k.kind, k.origin, s.last_success_at AS "lastSuccessAt", s.last_failure_at AS "lastFailureAt", s.last_error AS "lastError",
    r.place AS "configuredPlace", (SELECT array_position(o.origins, k.origin) FROM source_orders o WHERE o.layer = k.layer) AS "setPlace", coalesce(r.closed, 0) AS closed, coalesce(r.open, 0) AS open, coalesce(r.half_open, 0) AS "halfOpen",
    r.open_until AS "openUntil", coalesce(r.wait_ms, 0) AS "waitMs", r.success_rate AS "successRate",
    round(r.bytes_per_second)::bigint AS "bytesPerSecond", r.requests_per_minute AS "requestsPerMinute", r.connections,
    (SELECT max(o.since) FROM source_states o WHERE o.layer = k.layer AND haulier_origin(NULL, o.source) = k.origin) AS "judgedSince",
    CASE WHEN d.origin IS NOT NULL THEN jsonb_build_object('origin', d.origin, 'note', d.note, 'by', d.disabled_by,
      'at', d.disabled_at, 'until', d.until) END AS disabled
  FROM known k LEFT JOIN reported r USING (layer, kind, origin) LEFT JOIN sources_tried s USING (layer, kind, origin)
    LEFT JOIN disabled_sources d ON d.origin = k.origin AND (d.until IS NULL OR d.until > $1)
  ORDER BY k.layer, k.origin, k.kind`;

type Read = Omit<SourceRow, 'disabled'> & {
  readonly disabled:
    (Omit<DisabledRow, 'at' | 'until'> & { readonly at: string; readonly until: string | null }) | null;
};

/** @param aliveSince reports of workers that were heard of since count */
export async function listSources(database: Database, aliveSince: Date, now: Date): Promise<SourceRow[]> {
  const listedSince = new Date(now.getTime() - LISTED_MS);
  const { rows } = await database.pool.query<Read>(LIST_SQL, [now, aliveSince, listedSince]);
  return rows.map(({ disabled, ...row }) => ({
    ...row,
    disabled: disabled && {
      ...disabled,
      at: new Date(disabled.at),
      until: disabled.until === null ? null : new Date(disabled.until),
    },
  }));
}

/** The same source again changes note and end. */
export async function disableSource({ pool }: Database, { origin, note, by, at, until }: DisabledRow): Promise<void> {
  const sql = `INSERT INTO disabled_sources (origin, note, disabled_by, disabled_at, until) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (origin) DO UPDATE SET note = excluded.note, disabled_by = excluded.disabled_by,
      disabled_at = excluded.disabled_at, until = excluded.until`;
  await pool.query(sql, [origin, note, by, at, until]);
}

/** @returns false when it was not disabled */
export async function enableSource({ pool }: Database, origin: string): Promise<boolean> {
  return ((await pool.query('DELETE FROM disabled_sources WHERE origin = $1', [origin])).rowCount ?? 0) > 0;
}

/** @returns what is disabled now; what has expired is taken away */
export async function disabledSources({ pool }: Database, now: Date): Promise<DisabledRow[]> {
  await pool.query('DELETE FROM disabled_sources WHERE until <= $1', [now]);
  const sql = `SELECT origin, note, disabled_by AS by, disabled_at AS at, until FROM disabled_sources ORDER BY origin`;
  return (await pool.query<DisabledRow>(sql)).rows;
}
