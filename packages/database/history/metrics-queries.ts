import type { LayerName, Outcome } from '#core/layer';
import { DAY_MS, HOUR_MS } from '#core/units';
import type { Database } from '../sql/connect.ts';
import type { DownloadRow } from '../downloads/download-row.ts';
import { readSetting, writeSetting } from '../sql/setting-queries.ts';
import { groupBy, statsOf, trySums, type TryStats } from './try-sums.ts';

/** One try at one source. */
export interface TryRow {
  readonly at: Date;
  readonly downloadId: string;
  readonly generation: number;
  readonly attempt: number;
  readonly sequence: number;
  readonly host: string | null;
  readonly model: string | null;
  readonly modelType: string | null;
  readonly layer: LayerName;
  readonly kind: string;
  readonly source: string;
  /** Scheme, host and port of the source, or its path. */
  readonly origin: string;
  readonly status: 'success' | 'failure';
  readonly latencyMs: number;
  /** Received bytes. */
  readonly bytes: number;
  /** Bytes that were kept; as many as received in rows of earlier releases. */
  readonly committedBytes: number;
  readonly totalBytes: number | null;
  readonly errorKind: string | null;
  readonly errorMessage: string | null;
  readonly reason: string | null;
}

export interface TryFilter {
  readonly layer?: LayerName | undefined;
  readonly status?: 'success' | 'failure' | undefined;
  readonly since: Date;
  /** Rows before this one in the list, which is newest first. */
  readonly after?: Pick<TryRow, 'at' | 'downloadId' | 'generation' | 'attempt' | 'sequence'> | undefined;
  readonly limit: number;
}

export interface MetricsCounts {
  /** Start of the counted time: the reset point, or the start of the window when that is later. */
  readonly since: Date;
  readonly layers: readonly (TryStats & { readonly layer: LayerName })[];
  readonly gateways: readonly (TryStats & { readonly layer: LayerName; readonly gateway: string })[];
  /** Downloads that ended, by outcome. */
  readonly outcomes: Partial<Record<Outcome, number>>;
  /** Of the downloads that succeeded, how many found the file in the host's store; 0 to 1, null without any. */
  readonly cacheEffectiveness: number | null;
}

export interface LayerHealth {
  readonly layer: LayerName;
  /** healthy: 90 % of the tries or more succeed; degraded: half or more; down: less. */
  readonly state: 'healthy' | 'degraded' | 'down';
  readonly attempts: number;
  readonly successRate: number;
  /** Since when the layer has this state, where that is known. */
  readonly stateSince?: Date | undefined;
  readonly lastSuccessAt: Date | null;
  readonly lastFailureAt: Date | null;
  readonly lastError: string | null;
}

const HEALTHY_FROM = 0.9;
const DEGRADED_FROM = 0.5;

const ORIGIN = 'haulier_origin(t.origin, t.source)';

const KEPT = 'coalesce(t.committed_bytes, t.bytes)';

const TRY_COLUMNS = `t.at, t.download_id AS "downloadId", t.generation, t.attempt, t.sequence, t.host, t.model,
  t.model_type AS "modelType", t.layer, t.kind, t.source, ${ORIGIN} AS origin, t.status,
  t.latency_ms AS "latencyMs", t.bytes, ${KEPT} AS "committedBytes", t.total_bytes AS "totalBytes", t.error_kind AS "errorKind", t.error_message AS "errorMessage", t.reason`;

/** Days bound what is read, because the history is partitioned by them. */
const SINCE = `t.at >= $1 AND t.day >= ($1::timestamptz AT TIME ZONE 'UTC')::date`;

const NEWEST_FIRST = 'ORDER BY t.at DESC, t.download_id DESC, t.generation DESC, t.attempt DESC, t.sequence DESC';

/** How far the clock of a worker may be behind ours. */
const CLOCK_SKEW_MS = DAY_MS;

/** The newest tries of one download, newest first; a reset of the metrics does not hide them. */
export async function triesOf(
  database: Database,
  { id, createdAt }: Pick<DownloadRow, 'id' | 'createdAt'>,
  limit: number,
): Promise<TryRow[]> {
  const sql = `SELECT ${TRY_COLUMNS} FROM tries t WHERE ${SINCE} AND t.download_id = $2 ${NEWEST_FIRST} LIMIT $3`;
  const since = new Date(createdAt.getTime() - CLOCK_SKEW_MS);
  return (await database.pool.query<TryRow>(sql, [since, id, limit])).rows;
}

/** Looked through first, back from where the page begins; the whole window only when these have too few. */
const FIRST_LOOKS_MS = [DAY_MS, 7 * DAY_MS];

/**
 * The history of tries since the reset point, newest first. No index has their order: a page of a large fleet is among the tries of its last
 * day, and sorting those of a month takes seconds.
 *
 * @param now where the first page begins
 */
export async function listTries(database: Database, filter: TryFilter, now: Date): Promise<TryRow[]> {
  const start = await startOf(database, filter.since);
  const days = await daysWith(database, filter, start);
  if (days?.length === 0) return [];
  const newest = filter.after?.at ?? now;
  for (const lookMs of FIRST_LOOKS_MS) {
    const from = new Date(newest.getTime() - lookMs);
    if (from <= start) break;
    const rows = await triesFrom(database, filter, from, days);
    if (rows.length === filter.limit) return rows;
  }
  return triesFrom(database, filter, start, days);
}

/**
 * The days that have such tries, by the roll-up, which is written in the transaction that writes the tries. The days themselves are
 * parameters of the next statement: Postgres leaves out partitions by values that it knows, and not by those of a subquery.
 *
 * @returns undefined without a filter
 */
async function daysWith(
  { pool }: Database,
  { layer, status }: TryFilter,
  start: Date,
): Promise<readonly string[] | undefined> {
  if (layer === undefined && status === undefined) return undefined;
  const sql = `SELECT DISTINCT (d.slot AT TIME ZONE 'UTC')::date::text AS day FROM try_days d
    WHERE d.slot >= date_trunc('day', $1::timestamptz, 'UTC') AND ($2::text IS NULL OR d.layer = $2)
      AND ($3::boolean IS NULL OR (d.result = 'success') = $3)`;
  const isSuccess = status === undefined ? null : status === 'success';
  const { rows } = await pool.query<{ day: string }>(sql, [start, layer ?? null, isSuccess]);
  return rows.map(({ day }) => day);
}

async function triesFrom(
  { pool }: Database,
  filter: TryFilter,
  start: Date,
  days: readonly string[] | undefined,
): Promise<TryRow[]> {
  const parameters: unknown[] = [start];
  const given = (value: unknown): string => `$${parameters.push(value)}`;
  const conditions = [SINCE];
  if (days !== undefined) conditions.push(`t.day = ANY(${given(days)}::date[])`);
  if (filter.layer !== undefined) conditions.push(`t.layer = ${given(filter.layer)}`);
  if (filter.status !== undefined) conditions.push(`t.status = ${given(filter.status)}`);
  if (filter.after !== undefined) {
    const { at, downloadId, generation, attempt, sequence } = filter.after;
    const position = [given(at), given(downloadId), given(generation), given(attempt), given(sequence)].join(', ');
    conditions.push(`(t.at, t.download_id, t.generation, t.attempt, t.sequence) < (${position})`);
    // The position alone does not tell Postgres which partitions are later.
    conditions.push(`t.at <= ${given(at)} AND t.day <= (${given(at)}::timestamptz AT TIME ZONE 'UTC')::date`);
  }
  const sql = `SELECT ${TRY_COLUMNS} FROM tries t WHERE ${conditions.join(' AND ')} ${NEWEST_FIRST}
    LIMIT ${given(filter.limit)}`;
  return (await pool.query<TryRow>(sql, parameters)).rows;
}

/** Success, latency and cache effectiveness since the given moment or the reset point. */
export async function metricsSummary(database: Database, since: Date): Promise<MetricsCounts> {
  const start = await startOf(database, since);
  const [sums, outcomes] = await Promise.all([trySums(database, start), endedSince(database, start)]);
  const byLayer = [...groupBy(sums, ({ layer }) => layer).values()];
  const byGateway = [...groupBy(sums, ({ layer, origin }) => `${layer} ${origin}`).values()];
  const layers = byLayer.map((of) => ({ layer: of[0]!.layer, ...statsOf(of) }));
  const gateways = byGateway.map((of) => ({ layer: of[0]!.layer, gateway: of[0]!.origin, ...statsOf(of) }));
  return {
    since: start,
    layers: layers.toSorted((a, b) => compare(a.layer, b.layer)),
    gateways: gateways.toSorted((a, b) => compare(a.layer, b.layer) || compare(a.gateway, b.gateway)),
    outcomes,
    cacheEffectiveness: effectivenessOf(outcomes),
  };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Single downloads in the hour in which the window begins, and the roll-up after it. */
async function endedSince(database: Database, start: Date): Promise<Partial<Record<Outcome, number>>> {
  const sql = `SELECT outcome, sum(downloads)::bigint AS count FROM (
      SELECT h.outcome, h.downloads FROM download_hours h WHERE h.slot >= $2
      UNION ALL
      SELECT d.outcome, 1 FROM downloads d WHERE d.completed_at >= $1 AND d.completed_at < $2 AND d.outcome IS NOT NULL
    ) a GROUP BY outcome ORDER BY outcome`;
  const hours = new Date(Math.ceil(start.getTime() / HOUR_MS) * HOUR_MS);
  const { rows } = await database.pool.query<{ outcome: Outcome; count: number }>(sql, [start, hours]);
  return Object.fromEntries(rows.map(({ outcome, count }) => [outcome, count]));
}

function effectivenessOf(counts: Partial<Record<Outcome, number>>): number | null {
  const ended = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const successes = ended - (counts.all_layers_exhausted ?? 0);
  return successes === 0 ? null : (counts.cache_hit ?? 0) / successes;
}

/** How each layer that was tried since the given moment does. */
export async function layerHealth(database: Database, since: Date): Promise<LayerHealth[]> {
  const start = await startOf(database, since);
  const lastSql = `SELECT s.layer, max(s.last_success_at) AS "lastSuccessAt", max(s.last_failure_at) AS "lastFailureAt",
      (array_agg(s.last_error ORDER BY s.last_failure_at DESC) FILTER (WHERE s.last_failure_at >= $1))[1] AS "lastError"
    FROM sources_tried s GROUP BY s.layer`;
  type Last = Pick<LayerHealth, 'layer' | 'lastSuccessAt' | 'lastFailureAt' | 'lastError'>;
  const statesSql = 'SELECT layer, state, since FROM layer_states';
  const [sums, last, states] = await Promise.all([
    trySums(database, start),
    database.pool.query<Last>(lastSql, [start]),
    database.pool.query<{ layer: LayerName; state: string; since: Date }>(statesSql),
  ]);
  const within = (at: Date | null | undefined): Date | null => (at && at >= start ? at : null);
  const byLayer = [...groupBy(sums, ({ layer }) => layer).values()];
  const found = byLayer.map((of) => {
    const { layer } = of[0]!;
    const { attempts, successRate } = statsOf(of);
    const state = stateOf(successRate);
    const seen = last.rows.find((row) => row.layer === layer);
    const known = states.rows.find((row) => row.layer === layer && row.state === state);
    return {
      ...{ layer, state, stateSince: known?.since, attempts, successRate },
      lastSuccessAt: within(seen?.lastSuccessAt),
      lastFailureAt: within(seen?.lastFailureAt),
      lastError: seen?.lastError ?? null,
    };
  });
  return found.toSorted((a, b) => compare(a.layer, b.layer));
}

/** Writes since when each layer is as it is now. */
export async function noteLayers(database: Database, since: Date, now: Date): Promise<void> {
  const found = await layerHealth(database, since);
  const sql = `INSERT INTO layer_states AS o (layer, state, since)
    SELECT e.layer, e.state, $2 FROM jsonb_to_recordset($1::jsonb) AS e (layer text, state text) ORDER BY e.layer
    ON CONFLICT (layer) DO UPDATE SET state = excluded.state, since = excluded.since WHERE o.state <> excluded.state`;
  await database.pool.query(sql, [JSON.stringify(found.map(({ layer, state }) => ({ layer, state }))), now]);
}

const stateOf = (successRate: number): LayerHealth['state'] =>
  successRate >= HEALTHY_FROM ? 'healthy' : successRate >= DEGRADED_FROM ? 'degraded' : 'down';

/** From now on older tries and outcomes are not counted; they stay stored until their retention ends. */
export const resetMetrics = (database: Database, now: Date): Promise<void> =>
  writeSetting(database, 'metrics_reset_at', now.toISOString(), now);

/** @returns the moment, or the last reset when that is later */
export async function startOf(database: Database, since: Date): Promise<Date> {
  const reset = await readSetting(database, 'metrics_reset_at');
  return reset !== undefined && new Date(reset) > since ? new Date(reset) : since;
}
