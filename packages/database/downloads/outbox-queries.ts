import type { DownloadStatus } from '#core/download-status';
import type { Database } from '../sql/connect.ts';
import { DOWNLOAD_COLUMNS, FILE_COLUMN, type DownloadRow } from './download-row.ts';
import { notInShardsSql, shardSql } from './shard-sql.ts';
import { LIVE_SQL, nextStatusSql } from './status-sql.ts';
import { inTransaction } from '../sql/transaction.ts';

/** One generation of a download: what a job's id is made of. */
export interface Generation {
  readonly id: string;
  readonly generation: number;
}

/** Everything a job's payload needs. `attemptsBefore` is the payload's `attemptsUsed`. */
export interface OutboxRow extends OutboxDownload {
  /** Files of the model's version that are wanted on the host. */
  readonly fileCount: number;
  /** The IPFS folder or block that the model's version was published as. */
  readonly versionCid: string | null;
  /** When the model's origin last answered a check of its version. */
  readonly checkedAt: Date | null;
  /** Names the request that asked for it, in its trace. */
  readonly traceparent: string | null;
}

type OutboxDownload = Pick<
  DownloadRow,
  | 'id'
  | 'generation'
  | 'host'
  | 'attemptsBefore'
  | 'file'
  | 'model'
  | 'modelType'
  | 'version'
  | 'layers'
  | 'strategy'
  | 'limitBytesPerSecond'
  | 'isHeld'
  | 'priority'
  | 'deadlineAt'
>;

/**
 * One count for each host and version of the batch. Two cases, because each has an index of its own. `IS NOT DISTINCT FROM` keeps the
 * planner from the index of models: before the first ANALYZE after a large request it would read the rows of all hosts for each host.
 */
const FILE_COUNT_SQL = `CASE WHEN v.host IS NULL THEN (
    SELECT count(DISTINCT w.path) FROM downloads w
    WHERE w.host IS NULL AND w.model = v.model AND w.version = v.version AND w.status <> 'cancelled'
  ) ELSE (
    SELECT count(DISTINCT w.path) FROM downloads w
    WHERE w.host = v.host AND w.model IS NOT DISTINCT FROM v.model AND w.version IS NOT DISTINCT FROM v.version
      AND w.status <> 'cancelled'
  ) END`;

/**
 * @param inFlight ids to leave out: their jobs are being added, and they are not marked yet
 * @param shardsAway rows of these shards are left out, so that they do not hold up the others
 * @returns the oldest rows whose present generation is not in the queue yet, host by host; no lock is held
 */
export async function unqueuedDownloads(
  database: Database,
  limit: number,
  inFlight: readonly string[] = [],
  shardsAway: readonly string[] = [],
): Promise<OutboxRow[]> {
  const sql = `WITH batch AS MATERIALIZED (
      SELECT d.* FROM downloads d
      WHERE d.status IN ('pending', 'in_progress', 'resuming') AND d.enqueued_generation < d.generation AND NOT d.repair_waits
        AND d.id <> ALL($2::uuid[])
        ${notInShardsSql(shardsAway, '$3')}
      ORDER BY d.created_at, d.host, d.id LIMIT $1
    ), counts AS MATERIALIZED (
      SELECT v.host, v.model, v.version, ${FILE_COUNT_SQL} AS files
      FROM (SELECT DISTINCT b.host, b.model, b.version FROM batch b WHERE b.model IS NOT NULL) v
    ), versions AS MATERIALIZED (
      SELECT v.model, v.version,
        (SELECT m.cid FROM manifests m WHERE m.model = v.model AND m.version = v.version) AS cid,
        (SELECT max(c.answered_at) FROM version_checks c WHERE c.model = v.model) AS checked_at
      FROM (SELECT DISTINCT b.model, b.version FROM batch b WHERE b.model IS NOT NULL) v
    )
    SELECT d.id, d.generation, d.host, d.attempts_before AS "attemptsBefore", ${FILE_COLUMN}, d.model,
      d.model_type AS "modelType", d.version, d.layers, d.strategy, d.limit_bytes_per_second AS "limitBytesPerSecond",
      d.is_held AS "isHeld", d.priority, d.deadline_at AS "deadlineAt", d.traceparent,
      coalesce(c.files, 0) AS "fileCount", v.cid AS "versionCid", v.checked_at AS "checkedAt"
    FROM batch d
    LEFT JOIN counts c ON coalesce(c.host, '') = coalesce(d.host, '') AND c.model = d.model AND c.version = d.version
    LEFT JOIN versions v ON v.model = d.model AND v.version = d.version
    ORDER BY d.created_at, d.host, d.id`;
  const parameters = withShards([limit, inFlight], shardsAway);
  if (inFlight.length === 0) return (await database.pool.query<OutboxRow>(sql, parameters)).rows;
  return inTransaction(database, async (client) => {
    await client.query(IN_ORDER_SQL);
    return (await client.query<OutboxRow>(sql, parameters)).rows;
  });
}

/**
 * With jobs in flight there are many rows. Before the first ANALYZE after a large request Postgres expects a few, and would read all of
 * them for each batch to sort them; the index has them in order.
 */
const IN_ORDER_SQL = 'SET LOCAL enable_bitmapscan = off';

/** Notes that jobs exist for these generations; one that was replaced meanwhile stays to be queued. */
export async function markEnqueued(database: Database, jobs: readonly Generation[], now: Date): Promise<number> {
  const sql = `UPDATE downloads d SET enqueued_generation = j.generation, heartbeat_at = $2
    FROM jsonb_to_recordset($1::jsonb) AS j (id uuid, generation int)
    WHERE d.id = j.id AND d.enqueued_generation < j.generation AND j.generation <= d.generation`;
  return await change(database, sql, [keysOf(jobs), now]);
}

/** Rows may be wide: only what names the generation is sent. */
const keysOf = (jobs: readonly Generation[]): string =>
  JSON.stringify(jobs.map(({ id, generation }) => ({ id, generation })));

export interface SilentDownload extends Generation {
  readonly host: string | null;
  readonly status: DownloadStatus;
}

export interface SilenceLimits {
  /** A running download sends an event every second; its job is looked up after this long without one. Milliseconds. */
  readonly runningMs: number;
  /** A queued download sends no events; its job is looked up after this long. Milliseconds. */
  readonly waitingMs: number;
}

/**
 * @param shardsAway rows of these shards are left out: whether their jobs exist cannot be known
 * @returns queued rows without a recent event, the longest without one first
 */
export async function silentDownloads(
  database: Database,
  limits: SilenceLimits,
  now: Date,
  limit: number,
  shardsAway: readonly string[] = [],
): Promise<SilentDownload[]> {
  const sql = `SELECT d.id, d.generation, d.host, d.status FROM downloads d
    WHERE ${LIVE_SQL} AND d.status IN ('pending', 'in_progress', 'resuming', 'paused')
      AND d.enqueued_generation = d.generation
      AND greatest(d.heartbeat_at, d.retry_at) <
        CASE WHEN d.status IN ('in_progress', 'resuming') THEN $1::timestamptz ELSE $2::timestamptz END
      ${notInShardsSql(shardsAway, '$4')}
    ORDER BY d.heartbeat_at LIMIT $3`;
  const before = (ms: number): Date => new Date(now.getTime() - ms);
  const parameters = withShards([before(limits.runningMs), before(limits.waitingMs), limit], shardsAway);
  return (await database.pool.query<SilentDownload>(sql, parameters)).rows;
}

/** These jobs are alive in Redis: their next look-up is due after another full interval. */
export async function confirmQueued(database: Database, jobs: readonly Generation[], now: Date): Promise<number> {
  const sql = `UPDATE downloads d SET heartbeat_at = greatest(d.heartbeat_at, $2)
    FROM jsonb_to_recordset($1::jsonb) AS j (id uuid, generation int)
    WHERE d.id = j.id AND d.generation = j.generation`;
  return await change(database, sql, [keysOf(jobs), now]);
}

/** The attempts that the row counts have ended. One that could not reach a source is taken off when it ends. */
const IS_CHARGED = "(d.status = 'pending' OR d.pause_reason IN ('retry', 'sources_unavailable'))";

/*
 * An attempt that ended with a lost job is not charged to the budget of the download; an attempt that failed (`retry`) is.
 */
export const REQUEUE_SQL = `generation = d.generation + 1,
  status = CASE WHEN d.status = 'paused' THEN ${nextStatusSql('resume')} ELSE d.status END,
  attempts_before = CASE WHEN ${IS_CHARGED} THEN d.attempts_used ELSE greatest(d.attempts_used - 1, d.attempts_before) END,
  attempts_used = CASE WHEN ${IS_CHARGED} THEN d.attempts_used ELSE greatest(d.attempts_used - 1, d.attempts_before) END,
  pause_reason = NULL, retry_at = NULL, event_at = NULL, bytes_per_second = 0`;

/**
 * Queues the downloads of lost jobs again, as the next generation.
 *
 * @param maxRequeues after this many times since the last request of a user the download fails instead: its worker dies
 *   before it can send an event
 * @returns the rows that failed for that reason; a row that moved meanwhile is skipped
 */
export async function requeueLost(
  database: Database,
  jobs: readonly Generation[],
  maxRequeues: number,
  now: Date,
): Promise<{ requeued: number; failed: DownloadRow[] }> {
  const found = `FROM jsonb_to_recordset($1::jsonb) AS j (id uuid, generation int)
    WHERE d.id = j.id AND d.generation = j.generation AND ${LIVE_SQL}`;
  const fail = `UPDATE downloads d SET status = ${nextStatusSql('exhaust')}, error_kind = 'lost',
      error = 'queued again ' || d.requeues || ' times without any event: its worker dies before it can report',
      pause_reason = NULL, retry_at = NULL, bytes_per_second = 0, completed_at = $2, updated_at = $2
    ${found} AND d.requeues >= $3 RETURNING ${DOWNLOAD_COLUMNS}`;
  const requeue = `UPDATE downloads d SET ${REQUEUE_SQL}, requeues = d.requeues + 1,
      reason = 'its job was lost and is queued again', updated_at = $2
    ${found} AND d.requeues < $3`;
  const parameters = [keysOf(jobs), now, maxRequeues];
  return inTransaction(database, async (client) => {
    const failed = (await client.query<DownloadRow>(fail, parameters)).rows;
    return { failed, requeued: (await client.query(requeue, parameters)).rowCount ?? 0 };
  });
}

/**
 * Fails downloads whose sources stayed away until their deadline and whose worker did not say so: it has ended.
 *
 * @param before deadlines before this moment
 * @returns the rows that failed
 */
export async function failOverdue(database: Database, before: Date, now: Date): Promise<DownloadRow[]> {
  const sql = `UPDATE downloads d SET status = ${nextStatusSql('exhaust')}, error_kind = 'deadline',
      error = 'its deadline passed while no source could be reached; ' || coalesce(d.reason, 'its worker is away'),
      pause_reason = NULL, retry_at = NULL, bytes_per_second = 0, completed_at = $2, updated_at = $2
    WHERE d.status = 'paused' AND d.pause_reason = 'sources_unavailable' AND d.deadline_at < $1
    RETURNING ${DOWNLOAD_COLUMNS}`;
  return (await database.pool.query<DownloadRow>(sql, [before, now])).rows;
}

/** After the loss of shards of Redis: queues every row whose job may have existed there again. @returns how many */
export async function requeueShards(database: Database, shards: readonly string[], now: Date): Promise<number> {
  const sql = `UPDATE downloads d SET ${REQUEUE_SQL}, reason = 'the queue was lost and is rebuilt', updated_at = $1
    WHERE ${LIVE_SQL} AND d.enqueued_generation = d.generation AND ${shardSql('d.host')} = ANY($2::text[])`;
  return await change(database, sql, [now, shards]);
}

/** A parameter that no part of the statement names would be refused by Postgres. */
const withShards = (parameters: unknown[], shards: readonly string[]): unknown[] =>
  shards.length === 0 ? parameters : [...parameters, shards];

const change = (database: Database, sql: string, parameters: unknown[]): Promise<number> =>
  inTransaction(database, async (client) => (await client.query(sql, parameters)).rowCount ?? 0);
