/*
 * Events of hosts. Each statement takes its rows as JSON ($1); the last writer wins by the clock
 * that the comment names.
 */

const at = (field: string): string => `'epoch'::timestamptz + ${field} * interval '1 millisecond'`;

/** Every batch updates `last_seen_at` (our clock, $2). `last_sequence` belongs to the present boot. */
export const HOSTS_SEEN_SQL = `
  INSERT INTO hosts AS h (name, shown_name, first_seen_at, last_seen_at, boot_id, last_sequence)
  SELECT DISTINCT ON (e.host) e.host, e."shownHost", $2::timestamptz, $2::timestamptz, e."bootId", e.sequence
  FROM jsonb_to_recordset($1::jsonb) AS e (host text, "shownHost" text, "bootId" uuid, sequence bigint, "sentAt" bigint)
  ORDER BY e.host, e."sentAt" DESC, e.sequence DESC
  ON CONFLICT (name) DO UPDATE SET last_seen_at = greatest(h.last_seen_at, excluded.last_seen_at),
    shown_name = excluded.shown_name, boot_id = excluded.boot_id,
    last_sequence = CASE WHEN h.boot_id = excluded.boot_id THEN greatest(h.last_sequence, excluded.last_sequence)
      ELSE excluded.last_sequence END`;

/** The host's clock orders its reports. */
export const REPORTS_SQL = `
  UPDATE hosts h SET reported_at = ${at('e.at')}, inventory_digest = e."inventoryDigest", store_bytes = e."storeBytes",
    free_bytes = e."freeBytes", file_count = e."fileCount", worker_version = e."workerVersion",
    worker_labels = coalesce(e.labels, '{}'), facts = coalesce(e.facts, '{}'), source_reports = coalesce(e.sources, '[]')
  FROM jsonb_to_recordset($1::jsonb) AS e (host text, at bigint, "inventoryDigest" text, "storeBytes" bigint,
    "freeBytes" bigint, "fileCount" int, "workerVersion" text, labels jsonb, facts jsonb, sources jsonb)
  WHERE h.name = e.host AND (h.reported_at IS NULL OR h.reported_at <= ${at('e.at')})`;

export const NOTICES_SQL = `
  INSERT INTO host_notices (boot_id, sequence, position, host, at, notice, model, path, message, facts)
  SELECT e."bootId", e.sequence, e.position, e.host, ${at('e.at')}, e.notice, e.model, e.path, e.message, e.facts
  FROM jsonb_to_recordset($1::jsonb) AS e ("bootId" uuid, sequence bigint, position int, host text, at bigint,
    notice text, model text, path text, message text, facts jsonb)
  ON CONFLICT DO NOTHING`;

/** A newer version that a host's own check found becomes a flag of the host. */
export const NEWER_VERSIONS_SQL = `
  UPDATE hosts h SET newer_versions = h.newer_versions || n.flags
  FROM (
    SELECT e.host, jsonb_object_agg(e.model, e.facts || jsonb_build_object('at', e.at) ORDER BY e.at) AS flags
    FROM jsonb_to_recordset($1::jsonb) AS e (host text, at bigint, notice text, model text, facts jsonb)
    WHERE e.notice = 'newer_version' AND e.model IS NOT NULL GROUP BY e.host
  ) n
  WHERE h.name = n.host`;
