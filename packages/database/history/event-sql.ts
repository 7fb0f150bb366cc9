import { NOT_LOST_SQL, nextStatusSql } from '../downloads/status-sql.ts';

/*
 * One statement per type of event. Each takes the events as JSON ($1) and our clock ($2), and returns the ids of
 * the rows it changed. What they share:
 * - an event of another host's download changes nothing;
 * - an event of another generation changes nothing, except `finished`: the digest names the content, so a file
 *   that an earlier generation published counts;
 * - `event_at` is the worker's clock at the last event applied, so a repeated or late event changes nothing;
 * - a row that was paused on request is not started by a worker that missed the command.
 */

const OWN = '(d.host IS NULL OR d.host = e.host)';
const AT = "'epoch'::timestamptz + e.at * interval '1 millisecond'";
const THIS_GENERATION = `d.id = e."downloadId" AND d.generation = e.generation AND ${OWN}`;
const NOT_HELD = "d.pause_reason IS DISTINCT FROM 'requested'";

const events = (fields: string): string =>
  `jsonb_to_recordset($1::jsonb) AS e ("downloadId" uuid, generation int, at bigint, host text, ${fields})`;

/** The first attempt starts a download, every later one restarts it. `e.attempt` counts since the last request of a user. */
const STARTED_STATUS = `CASE WHEN d.status = 'pending' AND d.attempts = 0 THEN ${nextStatusSql('start')}
  ELSE ${nextStatusSql('restart')} END`;

export const STARTED_SQL = `
  UPDATE downloads d SET status = ${STARTED_STATUS},
    attempts = d.attempts + 1,
    attempts_used = greatest(d.attempts_used, e.attempt),
    last_attempt_at = ${AT}, started_at = coalesce(d.started_at, ${AT}), event_at = ${AT},
    resumed_bytes = e."resumedBytes", downloaded_bytes = e."resumedBytes", current_size = e."resumedBytes",
    bytes_per_second = 0, pause_reason = NULL, reason = NULL, retry_at = NULL, heartbeat_at = $2, updated_at = $2
  FROM ${events('attempt int, "resumedBytes" bigint')}
  WHERE ${THIS_GENERATION} AND ${NOT_HELD} AND ${STARTED_STATUS} IS NOT NULL
    AND (d.event_at IS NULL OR d.event_at < ${AT})
  RETURNING d.id`;

/** Behind the tries of any attempt. */
const KILLED_SEQUENCE = 1_000_000;

/**
 * An attempt that begins while the one before never ended: its worker was killed. What that one had kept, and none of its tries reported,
 * becomes a try of its own. Runs before `STARTED_SQL`, which changes the rows.
 */
export const KILLED_SQL = `
  INSERT INTO tries (day, download_id, generation, attempt, sequence, at, host, model, model_type, layer, kind, source, origin,
    status, latency_ms, bytes, committed_bytes, total_bytes, reason)
  SELECT (k.event_at AT TIME ZONE 'UTC')::date, k.id, k.generation, k.attempts_used, ${KILLED_SEQUENCE}, k.event_at, k.host, k.model,
    k.model_type, k.source_place->>'layer', k.source_place->>'kind', k.source, k.source_place->>'origin', 'success',
    least(extract(epoch FROM k.event_at - k.last_attempt_at) * 1000, 2147483647)::int, k.kept, k.kept, k.total_bytes,
    'its worker ended without a report; what it had kept is used'
  FROM (
    SELECT d.*, e."resumedBytes" - d.resumed_bytes - coalesce((
        SELECT sum(t.committed_bytes) FROM tries t WHERE t.download_id = d.id AND t.at >= d.last_attempt_at
          AND t.day >= (d.last_attempt_at AT TIME ZONE 'UTC')::date
      ), 0)::bigint AS kept
    FROM downloads d JOIN ${events('"resumedBytes" bigint')} ON ${THIS_GENERATION}
    WHERE d.status IN ('in_progress', 'resuming') AND d.event_at IS NOT NULL AND d.event_at < ${AT}
      AND d.source IS NOT NULL AND d.source_place IS NOT NULL
  ) k
  WHERE k.kept > 0
  ON CONFLICT DO NOTHING`;

const POSITION =
  '"committedBytes" bigint, "totalBytes" bigint, "bytesPerSecond" bigint, source text, retries int, "from" jsonb';

const SET_POSITION = `downloaded_bytes = e."committedBytes", total_bytes = coalesce(e."totalBytes", d.total_bytes),
    bytes_per_second = e."bytesPerSecond", source = coalesce(e.source, d.source), retries = e.retries,
    source_place = coalesce(e."from", d.source_place), event_at = ${AT}, heartbeat_at = $2, updated_at = $2`;

/** Positions of running downloads. Progress of a row that does not run yet proves that its start was missed. */
export const PROGRESS_SQL = `
  UPDATE downloads d SET ${SET_POSITION}
  FROM ${events(POSITION)}
  WHERE ${THIS_GENERATION} AND d.status IN ('in_progress', 'resuming')
    AND (d.event_at IS NULL OR d.event_at <= ${AT})
  RETURNING d.id`;

/**
 * Positions that were gathered for some seconds. Returns all that run as their workers say. Those that another process wrote since $3 are
 * not written again. A row that another transaction holds is skipped: its next position comes within a second. Each step carries the
 * event on, so that rows are found by their index and the events never joined with each other: Postgres expects a hundred of them.
 */
export const POSITIONS_SQL = `
  WITH running AS MATERIALIZED (
    SELECT e.*, (d.heartbeat_at <= $3) IS NOT FALSE AND (d.event_at IS NULL OR d.event_at <= ${AT}) AS is_due
    FROM ${events(POSITION)} JOIN downloads d ON ${THIS_GENERATION} AND d.status IN ('in_progress', 'resuming')
  ), held AS MATERIALIZED (
    SELECT e.* FROM running e JOIN downloads d ON d.id = e."downloadId" WHERE e.is_due
    ORDER BY d.id FOR NO KEY UPDATE OF d SKIP LOCKED
  ), written AS (
    UPDATE downloads d SET ${SET_POSITION}
    FROM held e WHERE ${THIS_GENERATION} AND d.status IN ('in_progress', 'resuming')
      AND (d.event_at IS NULL OR d.event_at <= ${AT})
    RETURNING d.id
  )
  SELECT id FROM written UNION ALL SELECT e."downloadId" AS id FROM running e WHERE NOT e.is_due`;

export const MISSED_START_SQL = `
  UPDATE downloads d SET status = ${STARTED_STATUS},
    attempts = d.attempts + 1, attempts_used = greatest(d.attempts_used, d.attempts_before + 1),
    last_attempt_at = ${AT}, started_at = coalesce(d.started_at, ${AT}), event_at = ${AT},
    downloaded_bytes = e."committedBytes", total_bytes = coalesce(e."totalBytes", d.total_bytes),
    pause_reason = NULL, reason = NULL, retry_at = NULL, heartbeat_at = $2, updated_at = $2
  FROM ${events('"committedBytes" bigint, "totalBytes" bigint')}
  WHERE ${THIS_GENERATION} AND d.status IN ('pending', 'paused') AND ${NOT_HELD}
    AND (d.event_at IS NULL OR d.event_at < ${AT})
  RETURNING d.id`;

/** A row whose start event is missing starts first; a row that is paused already only gets the position. */
const INTERRUPTED_STATUS = `CASE WHEN d.status = 'paused' THEN d.status
  WHEN d.status = 'pending' THEN ${nextStatusSql('interrupt', `(${nextStatusSql('start')})`)}
  ELSE ${nextStatusSql('interrupt')} END`;

/** What could not reach a source was no attempt. A row that is paused already was changed by the same event before. */
const TAKEN_BACK = `CASE WHEN e.reason = 'sources_unavailable' AND d.status IN ('in_progress', 'resuming') THEN 1 ELSE 0 END`;

export const INTERRUPTED_SQL = `
  UPDATE downloads d SET status = ${INTERRUPTED_STATUS},
    pause_reason = CASE WHEN d.pause_reason = 'requested' THEN d.pause_reason ELSE e.reason END,
    reason = CASE WHEN d.pause_reason = 'requested' THEN d.reason ELSE e.message END,
    retry_at = CASE WHEN d.pause_reason = 'requested' THEN NULL
      ELSE 'epoch'::timestamptz + e."retryAt" * interval '1 millisecond' END,
    attempts = d.attempts - ${TAKEN_BACK},
    attempts_used = greatest(d.attempts_used - ${TAKEN_BACK}, d.attempts_before),
    downloaded_bytes = e."committedBytes", current_size = e."committedBytes", bytes_per_second = 0,
    event_at = ${AT}, heartbeat_at = $2, updated_at = $2
  FROM ${events('reason text, message text, "committedBytes" bigint, "retryAt" bigint')}
  WHERE ${THIS_GENERATION} AND ${INTERRUPTED_STATUS} IS NOT NULL
    AND (d.event_at IS NULL OR d.event_at <= ${AT})
  RETURNING d.id`;

export const FAILED_SQL = `
  WITH moved AS (
    UPDATE downloads d SET status = ${nextStatusSql('exhaust')}, outcome = e.outcome, error_kind = e."errorKind",
      error = e.message, sources = e.sources, downloaded_bytes = e."committedBytes", current_size = e."committedBytes",
      bytes_per_second = 0, pause_reason = NULL, reason = NULL, retry_at = NULL,
      event_at = ${AT}, completed_at = ${AT}, heartbeat_at = $2, updated_at = $2
    FROM ${events('outcome text, "errorKind" text, message text, "committedBytes" bigint, sources jsonb')}
    WHERE ${THIS_GENERATION} AND ${nextStatusSql('exhaust')} IS NOT NULL
    RETURNING d.id, d.cid
  ), counted AS (
    UPDATE cids c SET failure_count = c.failure_count + f.failures
    FROM (SELECT cid, count(*) AS failures FROM moved WHERE cid IS NOT NULL GROUP BY cid) f WHERE c.cid = f.cid
  )
  SELECT id FROM moved`;

export const FINISHED_SQL = `
  WITH moved AS (
    UPDATE downloads d SET status = ${nextStatusSql('verify')}, outcome = e.outcome,
      hash = coalesce(nullif(e.sha256, ''), d.hash), cid = coalesce(d.cid, e.cid), verified = e.verified,
      published_path = e.path, sources = e.sources, source = coalesce(e.gateway, d.source),
      total_bytes = e."sizeBytes", downloaded_bytes = e."sizeBytes", current_size = e."sizeBytes",
      resumed_bytes = e."resumedBytes", wasted_bytes = e."wastedBytes", bytes_per_second = 0,
      pause_reason = NULL, reason = NULL, retry_at = NULL, error_kind = NULL, error = NULL, ${NOT_LOST_SQL},
      started_at = coalesce(d.started_at, ${AT} - e."durationMs" * interval '1 millisecond'),
      event_at = ${AT}, completed_at = ${AT}, heartbeat_at = $2, updated_at = $2
    FROM ${events(`outcome text, sha256 text, cid text, verified boolean, path text, sources jsonb, gateway text,
      "sizeBytes" bigint, "resumedBytes" bigint, "wastedBytes" bigint, "durationMs" bigint`)}
    WHERE d.id = e."downloadId" AND e.generation <= d.generation AND ${OWN}
      AND ${nextStatusSql('verify')} IS NOT NULL
    RETURNING d.id, d.cid, d.model, d.model_type, d.hash, e.gateway, e.verified
  ), recorded AS (
    INSERT INTO cids AS c (cid, model, type, hash, gateway, cached_at, last_accessed_at, success_count)
    SELECT cid, max(model), max(model_type), max(hash), max(gateway), $2, $2, count(*)
    FROM moved WHERE cid IS NOT NULL AND verified GROUP BY cid ORDER BY cid
    ON CONFLICT (cid) DO UPDATE SET model = coalesce(excluded.model, c.model), type = coalesce(excluded.type, c.type),
      hash = coalesce(excluded.hash, c.hash), gateway = coalesce(excluded.gateway, c.gateway),
      last_accessed_at = greatest(c.last_accessed_at, excluded.last_accessed_at),
      success_count = c.success_count + excluded.success_count
  )
  SELECT id FROM moved`;

/** Model and total come from the download; a repeated event finds its key taken. The time is part of the key because an attempt
 * that goes on after a stop of its worker has the same number. */
export const TRIES_SQL = `
  INSERT INTO tries (day, download_id, generation, attempt, sequence, at, host, model, model_type, layer, kind, source,
    status, latency_ms, bytes, committed_bytes, total_bytes, error_kind, error_message, reason, origin)
  SELECT ((${AT}) AT TIME ZONE 'UTC')::date, e."downloadId", e.generation, e.attempt, e.sequence, ${AT}, e.host, d.model,
    d.model_type, e.layer, e.kind, e.source, e.status, least(e."latencyMs", 2147483647), e.bytes,
    e."committedBytes", d.total_bytes, e."errorKind", e."errorMessage", e.reason, e.origin
  FROM ${events(`attempt int, sequence int, layer text, kind text, source text, status text, "latencyMs" bigint,
    bytes bigint, "committedBytes" bigint, "errorKind" text, "errorMessage" text, reason text, origin text`)}
  JOIN downloads d ON d.id = e."downloadId" AND ${OWN}
  ORDER BY e."downloadId", e.generation, e.attempt, e.sequence
  ON CONFLICT DO NOTHING
  RETURNING download_id AS "downloadId", attempt, layer, status, error_kind AS "errorKind", latency_ms AS "latencyMs",
    coalesce(committed_bytes, bytes) AS bytes`;

/** Counts downloads ($1) that ended, after their rows were written. The lock is that of the roll-up of tries. */
export const ENDED_SQL = `
  INSERT INTO download_hours AS h (slot, outcome, bucket, downloads, ready_ms)
  SELECT date_trunc('hour', e.completed_at, 'UTC'), e.outcome, haulier_bucket(e.ms), count(*), sum(e.ms)
  FROM (
    SELECT d.completed_at, d.outcome,
      greatest(0, extract(epoch FROM d.completed_at - coalesce(d.asked_at, d.created_at)) * 1000)::bigint AS ms
    FROM downloads d WHERE d.id = ANY($1::uuid[]) AND d.completed_at IS NOT NULL AND d.outcome IS NOT NULL
  ) e GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (slot, outcome, bucket) DO UPDATE SET downloads = h.downloads + excluded.downloads,
    ready_ms = h.ready_ms + excluded.ready_ms`;

export const ROLL_UP_LOCK_SQL = `SELECT pg_advisory_xact_lock(hashtext('haulier'), hashtext('roll-up'))`;

/** How those downloads ended. */
export const ENDS_SQL = `
  SELECT CASE WHEN d.status = 'success' THEN 'success' ELSE 'failure' END AS result, d.error_kind AS "errorKind",
    greatest(0, extract(epoch FROM d.completed_at - coalesce(d.asked_at, d.created_at)) * 1000)::bigint AS "readyMs"
  FROM downloads d WHERE d.id = ANY($1::uuid[]) AND d.completed_at IS NOT NULL`;
