import type { LayerName, Outcome } from '#core/layer';
import { DAY_MS } from '#core/units';
import type { Database } from '../sql/connect.ts';
import type { DownloadRow } from '../downloads/download-row.ts';
import { readSetting, writeSetting } from '../sql/setting-queries.ts';

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

/** Tries of one layer, or of one gateway. */
export interface TryStats {
  readonly attempts: number;
  readonly successes: number;
  /** 0 to 1. */
  readonly successRate: number;
  readonly averageMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  /** Kept, also by attempts whose worker was killed. */
  readonly bytes: number;
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

/** Rows of earlier releases have no origin: it is read from the URL of the source. */
const ORIGIN = `coalesce(t.origin, substring(t.source FROM '^[a-z][a-z0-9+.-]*://[^/?#]+'), t.source)`;

const KEPT = 'coalesce(t.committed_bytes, t.bytes)';

const TRY_COLUMNS = `t.at, t.download_id AS "downloadId", t.generation, t.attempt, t.sequence, t.host, t.model,
  t.model_type AS "modelType", t.layer, t.kind, t.source, ${ORIGIN} AS origin, t.status,
  t.latency_ms AS "latencyMs", t.bytes, ${KEPT} AS "committedBytes", t.total_bytes AS "totalBytes", t.error_kind AS "errorKind", t.error_message AS "errorMessage", t.reason`;

const STATS_COLUMNS = `count(*) AS attempts, count(*) FILTER (WHERE t.status = 'success') AS successes,
  (count(*) FILTER (WHERE t.status = 'success'))::float8 / count(*) AS "successRate",
  avg(t.latency_ms)::float8 AS "averageMs",
  percentile_disc(0.5) WITHIN GROUP (ORDER BY t.latency_ms) AS "p50Ms",
  percentile_disc(0.95) WITHIN GROUP (ORDER BY t.latency_ms) AS "p95Ms", sum(${KEPT})::bigint AS bytes`;

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

/** The history of tries since the reset point, newest first. */
export async function listTries(database: Database, filter: TryFilter): Promise<TryRow[]> {
  const parameters: unknown[] = [await startOf(database, filter.since)];
  const given = (value: unknown): string => `$${parameters.push(value)}`;
  const conditions = [SINCE];
  if (filter.layer !== undefined) conditions.push(`t.layer = ${given(filter.layer)}`);
  if (filter.status !== undefined) conditions.push(`t.status = ${given(filter.status)}`);
  if (filter.after !== undefined) {
    const { at, downloadId, generation, attempt, sequence } = filter.after;
    const position = [given(at), given(downloadId), given(generation), given(attempt), given(sequence)].join(', ');
    conditions.push(`(t.at, t.download_id, t.generation, t.attempt, t.sequence) < (${position})`);
  }
  const sql = `SELECT ${TRY_COLUMNS} FROM tries t WHERE ${conditions.join(' AND ')} ${NEWEST_FIRST}
    LIMIT ${given(filter.limit)}`;
  return (await database.pool.query<TryRow>(sql, parameters)).rows;
}

/** Success, latency and cache effectiveness since the given moment or the reset point. */
export async function metricsSummary(database: Database, since: Date): Promise<MetricsCounts> {
  const start = await startOf(database, since);
  const layers = `SELECT t.layer, ${STATS_COLUMNS} FROM tries t WHERE ${SINCE} GROUP BY t.layer ORDER BY t.layer`;
  const gateways = `SELECT t.layer, ${ORIGIN} AS gateway, ${STATS_COLUMNS} FROM tries t WHERE ${SINCE}
    GROUP BY 1, 2 ORDER BY 1, 2`;
  const outcomes = `SELECT d.outcome, count(*) AS count FROM downloads d
    WHERE d.completed_at >= $1 AND d.outcome IS NOT NULL GROUP BY d.outcome`;
  const { pool } = database;
  const [byLayer, byGateway, byOutcome] = await Promise.all([
    pool.query<TryStats & { layer: LayerName }>(layers, [start]),
    pool.query<TryStats & { layer: LayerName; gateway: string }>(gateways, [start]),
    pool.query<{ outcome: Outcome; count: number }>(outcomes, [start]),
  ]);
  const counts = Object.fromEntries(byOutcome.rows.map(({ outcome, count }) => [outcome, count]));
  return {
    since: start,
    layers: byLayer.rows,
    gateways: byGateway.rows,
    outcomes: counts,
    cacheEffectiveness: effectivenessOf(counts),
  };
}

function effectivenessOf(counts: Partial<Record<Outcome, number>>): number | null {
  const ended = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const successes = ended - (counts.all_layers_exhausted ?? 0);
  return successes === 0 ? null : (counts.cache_hit ?? 0) / successes;
}

/** How each layer that was tried since the given moment does. */
export async function layerHealth(database: Database, since: Date): Promise<LayerHealth[]> {
  const sql = `SELECT t.layer, count(*) AS attempts,
      (count(*) FILTER (WHERE t.status = 'success'))::float8 / count(*) AS "successRate",
      max(t.at) FILTER (WHERE t.status = 'success') AS "lastSuccessAt",
      max(t.at) FILTER (WHERE t.status = 'failure') AS "lastFailureAt",
      (array_agg(t.source || ': ' || coalesce(t.error_message, t.error_kind, 'failed') ORDER BY t.at DESC)
        FILTER (WHERE t.status = 'failure'))[1] AS "lastError"
    FROM tries t WHERE ${SINCE} GROUP BY t.layer ORDER BY t.layer`;
  const start = await startOf(database, since);
  const { rows } = await database.pool.query<Omit<LayerHealth, 'state'>>(sql, [start]);
  return rows.map((row) => ({ ...row, state: stateOf(row.successRate) }));
}

const stateOf = (successRate: number): LayerHealth['state'] =>
  successRate >= HEALTHY_FROM ? 'healthy' : successRate >= DEGRADED_FROM ? 'degraded' : 'down';

/** From now on older tries and outcomes are not counted; they stay stored until their retention ends. */
export const resetMetrics = (database: Database, now: Date): Promise<void> =>
  writeSetting(database, 'metrics_reset_at', now.toISOString(), now);

async function startOf(database: Database, since: Date): Promise<Date> {
  const reset = await readSetting(database, 'metrics_reset_at');
  return reset !== undefined && new Date(reset) > since ? new Date(reset) : since;
}
