import { NOT_LOST_SQL, legalSql, nextStatusSql, renewedDeadlineSql } from '../downloads/status-sql.ts';

/*
 * Compares the inventory of a host with its rows. `$1` is the host, `$2` its boot and `$3` the moment, by the
 * host's clock, when it began to read its disk; `$4` is our clock.
 */

const AT = "'epoch'::timestamptz + $3::bigint * interval '1 millisecond'";

/** Waits for other recorders that store pages of the same host, so that one of them sees the set complete. */
export const LOCK_HOST_SQL = `SELECT pg_advisory_xact_lock(hashtext('haulier inventory'), hashtext($1))`;

export const STORE_PAGE_SQL = `
  INSERT INTO inventory_pages (host, boot_id, at, page, pages, models_folder, entries)
  VALUES ($1, $2, ${AT}, $4, $5, $6, $7) ON CONFLICT DO NOTHING`;

/**
 * The newest complete set of the host that is newer than the one compared last. A last one whose time lies in our
 * future came from a wrong clock and is ignored.
 */
export const COMPLETE_SQL = `
  SELECT p.boot_id AS "bootId", (extract(epoch FROM p.at) * 1000)::bigint AS at
  FROM inventory_pages p JOIN hosts h ON h.name = p.host
  WHERE p.host = $1 AND (h.inventory_at IS NULL OR h.inventory_at < p.at OR h.inventory_at > $2::timestamptz + interval '1 minute')
  GROUP BY p.boot_id, p.at HAVING count(*) = max(p.pages) ORDER BY p.at DESC LIMIT 1`;

export const COMPARED_SQL = `UPDATE hosts SET inventory_at = ${AT} WHERE name = $1 AND $2::uuid IS NOT NULL`;

export const FORGET_PAGES_SQL = `DELETE FROM inventory_pages WHERE host = $1 AND at <= ${AT} AND $2::uuid IS NOT NULL`;

const LISTED = `listed AS MATERIALIZED (
    SELECT e.*, p.models_folder FROM inventory_pages p,
      jsonb_to_recordset(p.entries) AS e (sha256 text, cid text, "sizeBytes" bigint, model text, version text, path text, state text)
    WHERE p.host = $1 AND p.boot_id = $2 AND p.at = ${AT}
  ), held AS MATERIALIZED (SELECT * FROM listed WHERE state = 'valid')`;

const twin = (alias: string): string => `${alias}.content_key = d.content_key AND ${alias}.path = d.path
  AND ${alias}.host = d.host AND coalesce(${alias}.model, '') = coalesce(d.model, '')
  AND coalesce(${alias}.version, '') = coalesce(d.version, '')`;

/** A host that lost the same file this often needs an operator. */
const MAX_LOSSES = 10;

/*
 * The next status of a missing file: cancelled when the host removed it for another version or because its store was over the
 * limit; pending when it was lost.
 */
const SWEPT = `(g.model IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM listed e WHERE e.model = g.model AND e.version = g.version
  ) AND EXISTS (
    SELECT 1 FROM downloads n WHERE n.host = g.host AND n.model = g.model AND n.version <> g.version
      AND n.status = 'success' AND n.completed_at > g.completed_at
  ))`;
const EVICTED = `(g.model IS NULL AND EXISTS (
    SELECT 1 FROM host_notices n WHERE n.host = g.host AND n.notice = 'evicted' AND n.facts->>'sha256' = g.hash
      AND n.at > g.completed_at
  ))`;

const LOST = nextStatusSql('lose');

/**
 * Moves completed downloads whose file is missing. Files published after the host read its disk are skipped, and so are files
 * with an open download; of several rows for one file only the newest moves.
 */
export const LOSE_SQL = `
  WITH ${LISTED}, gone AS (
    SELECT DISTINCT ON (d.content_key, d.path, coalesce(d.model, ''), coalesce(d.version, ''))
      d.id, d.host, d.model, d.version, d.path, d.hash, d.completed_at
    FROM downloads d
    WHERE d.host = $1 AND ${legalSql('lose')} AND d.hash IS NOT NULL AND coalesce(d.event_at, d.completed_at) < ${AT}
      AND NOT EXISTS (
        SELECT 1 FROM held e WHERE e.sha256 = d.hash AND e.model = d.model AND e.version = d.version AND e.path = d.path
      )
      AND NOT EXISTS (SELECT 1 FROM held e WHERE d.model IS NULL AND e.sha256 = d.hash)
      AND NOT EXISTS (
        SELECT 1 FROM downloads u WHERE ${twin('u')} AND u.status IN ('pending', 'in_progress', 'resuming', 'paused')
      )
    ORDER BY d.content_key, d.path, coalesce(d.model, ''), coalesce(d.version, ''), d.completed_at DESC, d.id
  ), judged AS (
    SELECT g.id, EXISTS (
        SELECT 1 FROM listed e WHERE e.state = 'invalid' AND e.sha256 = g.hash AND e.model = g.model AND e.path = g.path
      ) AND NOT EXISTS (
        SELECT 1 FROM host_notices n WHERE n.host = $1 AND n.notice = 'missing' AND n.facts->>'sha256' = g.hash AND n.at > g.completed_at
      ) AS is_corrupt,
      CASE WHEN ${SWEPT} OR ${EVICTED} THEN 'removed' WHEN d.requeues >= ${MAX_LOSSES} THEN 'hopeless' ELSE 'lost' END AS why
    FROM gone g JOIN downloads d ON d.id = g.id
  )
  UPDATE downloads d SET
    status = CASE j.why WHEN 'removed' THEN ${nextStatusSql('cancel', `(${LOST})`)}
      WHEN 'hopeless' THEN ${nextStatusSql('exhaust', `(${LOST})`)} ELSE ${LOST} END,
    generation = CASE j.why WHEN 'lost' THEN d.generation + 1 ELSE d.generation END,
    requeues = d.requeues + 1,
    lost_at = CASE j.why WHEN 'removed' THEN NULL ELSE $4::timestamptz END,
    lost_as = CASE WHEN j.why = 'removed' THEN NULL WHEN j.is_corrupt THEN 'corrupt' ELSE 'missing' END,
    repair_waits = j.why = 'lost',
    reason = CASE j.why WHEN 'removed' THEN 'the host cleaned it up; ask for it again to have it back'
      ELSE 'lost: the host no longer has it, or found it damaged' END,
    error_kind = CASE j.why WHEN 'hopeless' THEN 'lost' END,
    error = CASE j.why WHEN 'hopeless' THEN 'the host lost it ' || d.requeues || ' times: look at its disk, then resume' END,
    completed_at = CASE j.why WHEN 'lost' THEN NULL ELSE $4::timestamptz END,
    attempts_before = 0, attempts_used = 0, event_at = NULL, retry_at = NULL, pause_reason = NULL, outcome = NULL,
    downloaded_bytes = 0, current_size = 0, bytes_per_second = 0, published_path = NULL, ${renewedDeadlineSql('$4')}, updated_at = $4
  FROM judged j WHERE d.id = j.id AND ${legalSql('lose')}
  RETURNING d.id`;

/**
 * Ends downloads whose file is present because their last event was lost. Only rows without an event for `$5` milliseconds: the
 * events of a running transfer are newer than the inventory.
 */
export const VERIFY_SQL = `
  WITH ${LISTED}
  UPDATE downloads d SET status = ${nextStatusSql('verify')}, outcome = 'cache_hit', hash = e.sha256,
    cid = coalesce(d.cid, e.cid), verified = true, published_path = e.models_folder || '/' || e.model || '/' || e.path,
    total_bytes = e."sizeBytes", downloaded_bytes = e."sizeBytes", current_size = e."sizeBytes", bytes_per_second = 0,
    pause_reason = NULL, reason = NULL, retry_at = NULL, error_kind = NULL, error = NULL, ${NOT_LOST_SQL},
    event_at = ${AT}, completed_at = ${AT}, updated_at = $4
  FROM held e
  WHERE d.host = $1 AND ${nextStatusSql('verify')} IS NOT NULL AND (d.hash = e.sha256 OR (d.hash IS NULL AND d.cid = e.cid))
    AND e.model = d.model AND e.version = d.version AND e.path = d.path
    AND greatest(d.event_at, d.created_at) < ${AT}
    AND greatest(d.heartbeat_at, d.updated_at) < $4::timestamptz - $5::bigint * interval '1 millisecond'
  RETURNING d.id`;

/** How many files of the surplus are named. */
const NAMED = 100;

/**
 * What the host has beyond what is wanted there. `old`: of a version while another one is wanted; it stays for a rollback until the
 * sweep. `extra`: of no download, such as a bundle that was installed by hand. Files that a manifest declares inside an archive are wanted.
 */
export const SURPLUS_SQL = `
  WITH ${LISTED}, mine AS MATERIALIZED (
    SELECT d.id, d.model, d.version, d.path, d.hash, d.created_at, d.file_id FROM downloads d
    WHERE d.host = $1 AND d.status <> 'cancelled'
  ), newest AS (
    SELECT DISTINCT ON (m.model) m.model, m.version FROM mine m
    LEFT JOIN desired_models w ON w.host = $1 AND w.model = m.model AND w.version = m.version
    WHERE m.model IS NOT NULL ORDER BY m.model, w.model IS NULL, m.created_at DESC, m.id DESC
  ), unpacked AS (
    SELECT m.model, m.version, u->>'path' AS path FROM mine m JOIN file_specs s ON s.id = m.file_id,
      jsonb_array_elements(coalesce(s.file->'unpack'->'files', '[]')) u WHERE m.model IS NOT NULL
  ), wanted AS (
    SELECT model, version, path FROM mine WHERE model IS NOT NULL UNION SELECT model, version, path FROM unpacked
  ), judged AS (
    SELECT e.model, e.version, e.path, e.sha256, e."sizeBytes",
      CASE WHEN e.model IS NULL THEN CASE WHEN e.sha256 NOT IN (SELECT m.hash FROM mine m WHERE m.hash IS NOT NULL) THEN 'extra' END
        WHEN n.version <> e.version THEN 'old' WHEN w.path IS NULL THEN 'extra' END AS state
    FROM held e
    LEFT JOIN newest n ON n.model = e.model
    LEFT JOIN wanted w ON w.model = e.model AND w.version = e.version AND w.path = e.path
  )
  UPDATE hosts h SET surplus = (
    SELECT jsonb_build_object('extra', count(*) FILTER (WHERE state = 'extra'), 'old', count(*) FILTER (WHERE state = 'old'),
      'files', coalesce(jsonb_agg(jsonb_build_object('state', state, 'model', model, 'version', version, 'path', path,
        'sha256', sha256, 'sizeBytes', "sizeBytes") ORDER BY model, version, path) FILTER (WHERE place <= ${NAMED}), '[]'))
    FROM (SELECT j.*, row_number() OVER (ORDER BY j.model, j.version, j.path) AS place FROM judged j WHERE j.state IS NOT NULL) j
  ) WHERE h.name = $1`;
