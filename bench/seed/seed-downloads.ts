import { DAY_MS } from '#core/units';
import { ensureTryPartitions } from '#database/history/try-partitions';
import type { Database } from '#database/sql/connect';
import { seedUuidSql } from './seed-ids.ts';
import { HOST_NAME_SQL } from './seed-hosts.ts';
import type { SeedFile } from './seed-models.ts';

interface DownloadPlan {
  readonly hosts: number;
  readonly days: number;
  readonly downloads: number;
  readonly now: Date;
  /** Events of open downloads look this far ahead, so that they count as running without any worker; milliseconds. */
  readonly onlineForMs: number;
  readonly files: readonly SeedFile[];
  /** Called after each batch with the rows so far. */
  readonly onProgress: (downloads: number, tries: number) => void;
}

/** Rows of one statement. */
const BATCH = 20_000;
/** Of this many downloads the newest one is still open. */
const OPEN_SHARE = 400;

/**
 * Writes downloads over the days, oldest first, and their tries: most succeed, from peers, gateways, the hub and bundles; some fail or
 * are cancelled, the newest are still open.
 *
 * @returns how many rows are new
 */
export async function seedDownloads(
  database: Database,
  plan: DownloadPlan,
): Promise<{ downloads: number; tries: number }> {
  for (let ago = plan.days; ago >= 0; ago -= 4)
    await ensureTryPartitions(database, new Date(plan.now.getTime() - ago * DAY_MS));
  await ensureTryPartitions(database, plan.now);
  let downloads = 0;
  let tries = 0;
  for (let from = 0; from < plan.downloads; from += BATCH) {
    const to = Math.min(plan.downloads, from + BATCH);
    downloads += (await database.pool.query(DOWNLOADS_SQL, parametersOf(plan, from, to))).rowCount ?? 0;
    tries += (await database.pool.query(TRIES_SQL, [from, to, plan.now])).rowCount ?? 0;
    plan.onProgress(downloads, tries);
  }
  return { downloads, tries };
}

function parametersOf(plan: DownloadPlan, from: number, to: number): unknown[] {
  const { hosts, downloads, now, days, onlineForMs, files } = plan;
  const versions = groups(files);
  const rows = versions.flatMap((version, era) => version.map((file, place) => ({ ...file, era, place })));
  const perVersion = versions[0]!.length;
  const open = Math.min(Math.ceil(downloads / OPEN_SHARE), hosts * perVersion);
  return [from, to, hosts, downloads, now, days, onlineForMs, JSON.stringify(rows), perVersion, versions.length, open];
}

/** The files of each version of all models, oldest version first. */
function groups(files: readonly SeedFile[]): SeedFile[][] {
  const versions = [...new Set(files.map(({ version }) => version))].sort();
  return versions.map((version) => files.filter((file) => file.version === version));
}

/** A number from 0 to 99 that is the same each time, so that a repeated run makes the same rows. */
const dice = (n: string, salt: string): string => `(abs(hashtext('${salt}' || ${n})) % 100)`;

/** `$1` to `$2` numbers of rows, `$3` hosts, `$4` all downloads, `$5` now, `$6` days, `$7` ms ahead, `$8` files, `$9` of a version, `$10` versions, `$11` open. */
const DOWNLOADS_SQL = `
  WITH files AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($8::jsonb) AS f (era int, place int, model text, type text, version text, path text, "sizeBytes" bigint,
      sha256 text, "contentKey" text, "fileId" uuid)
  ), numbered AS (
    SELECT n, least($10::int - 1, (n::bigint * $10::int / $4::int)::int) AS era, ((n / $3::int) % $9::int) AS place,
      $5::timestamptz - (1 - (n + 1)::float8 / $4::int) * $6::int * interval '1 day' AS made,
      CASE WHEN n >= $4::int - $11::int THEN (ARRAY['in_progress', 'in_progress', 'pending', 'resuming', 'paused'])[1 + n % 5]
        WHEN ${dice('n', 'end')} < 94 THEN 'success' WHEN ${dice('n', 'end')} < 98 THEN 'failed' ELSE 'cancelled' END AS status,
      CASE WHEN ${dice('n', 'from')} < 45 THEN 'peer' WHEN ${dice('n', 'from')} < 70 THEN 'ipfs'
        WHEN ${dice('n', 'from')} < 92 THEN 'huggingface' ELSE 'bundled' END AS layer,
      (2e6 + ${dice('n', 'pace')} * 1.2e6)::bigint AS pace
    FROM generate_series($1::int, $2::int - 1) n
  ), rows AS (
    SELECT x.*, f.*, ${HOST_NAME_SQL('(1 + x.n % $3::int)')} AS host,
      CASE x.layer WHEN 'peer' THEN 'peer ' || ${HOST_NAME_SQL('(1 + (x.n * 31) % least(40, $3::int))')} WHEN 'ipfs' THEN 'gateway-' || (1 + x.n % 3) || '.example'
        WHEN 'huggingface' THEN 'huggingface.co' ELSE 'models.tar' END AS source,
      CASE WHEN x.status = 'success' THEN f."sizeBytes" WHEN x.status = 'pending' THEN 0
        ELSE f."sizeBytes" * ${dice('x.n', 'part')} / 100 END AS got
    FROM numbered x JOIN files f ON f.era = x.era AND f.place = x.place
  )
  INSERT INTO downloads (id, host, model, model_type, version, path, cid, hash, content_key, file_id, status, generation, enqueued_generation,
    attempts, attempts_used, last_attempt_at, downloaded_bytes, total_bytes, current_size, bytes_per_second, retries, source, sources,
    outcome, verified, published_path, pause_reason, reason, error_kind, error, event_at, heartbeat_at, created_at, updated_at, asked_at,
    started_at, completed_at, deadline_at)
  SELECT ${seedUuidSql("'seed ' || n")}, host, model, type, version, path, NULL, sha256, "contentKey", "fileId", status, 1, 1,
    CASE WHEN status = 'pending' THEN 0 WHEN status = 'failed' THEN 3 ELSE 1 END, CASE WHEN status = 'pending' THEN 0 ELSE 1 END,
    CASE WHEN status <> 'pending' THEN made + interval '1 second' END, got, "sizeBytes", got,
    CASE WHEN status IN ('in_progress', 'resuming', 'success') THEN pace ELSE 0 END,
    CASE WHEN status = 'failed' THEN 4 ELSE n % 2 END, CASE WHEN status <> 'pending' THEN source END,
    CASE WHEN got > 0 THEN jsonb_build_array(jsonb_build_object('source', source, 'layer', layer, 'bytes', got, 'wastedBytes', 0,
      'badLeaves', 0, 'errors', CASE WHEN status = 'failed' THEN 3 ELSE 0 END)) END,
    CASE WHEN status = 'success' THEN (CASE layer WHEN 'peer' THEN 'tertiary_peer_success' WHEN 'ipfs' THEN 'primary_success'
      WHEN 'huggingface' THEN 'secondary_success' ELSE 'tertiary_bundled_success' END) WHEN status = 'failed' THEN 'all_layers_exhausted' END,
    CASE WHEN status = 'success' THEN true END, CASE WHEN status = 'success' THEN '/var/lib/haulier/models/' || model || '/' || path END,
    CASE WHEN status = 'paused' THEN (ARRAY['sources_unavailable', 'disk_full', 'manual'])[1 + n % 3] END,
    CASE WHEN status = 'paused' THEN 'it goes on when that is over' END,
    CASE WHEN status = 'failed' THEN (ARRAY['unreachable', 'digest-mismatch', 'timed-out', 'throttled', 'missing'])[1 + n % 5] END,
    CASE WHEN status = 'failed' THEN 'every source failed; the last one was ' || source END,
    CASE WHEN status <> 'pending' THEN ended END, CASE WHEN status IN ('in_progress', 'resuming') THEN ahead ELSE ended END,
    made, CASE WHEN status IN ('in_progress', 'resuming', 'pending', 'paused') THEN $5 ELSE ended END, made,
    CASE WHEN status <> 'pending' THEN made + interval '1 second' END,
    CASE WHEN status IN ('success', 'failed', 'cancelled') THEN ended END, $5::timestamptz + interval '2 days'
  FROM rows, LATERAL (SELECT least($5::timestamptz, made + got / pace * interval '1 second' + interval '3 seconds') AS ended,
    $5::timestamptz + $7 * interval '1 millisecond' AS ahead) t
  ON CONFLICT DO NOTHING`;

/** Failed tries first, then the one that brought the file. `$1` to `$2` numbers of downloads, `$3` now. */
const TRIES_SQL = `
  INSERT INTO tries (day, download_id, generation, attempt, sequence, at, host, model, model_type, layer, kind, source, status, latency_ms,
    bytes, committed_bytes, total_bytes, error_kind, error_message, reason, origin)
  SELECT (t.at AT TIME ZONE 'UTC')::date, d.id, 1, 1, k, t.at, d.host, d.model, d.model_type, t.layer,
    CASE t.layer WHEN 'ipfs' THEN 'ipfs-gateway' WHEN 'huggingface' THEN 'huggingface' WHEN 'bundled' THEN 'bundle' ELSE 'peer' END,
    t.source, CASE WHEN t.good THEN 'success' ELSE 'failure' END,
    CASE WHEN t.good THEN (40 + d.downloaded_bytes / greatest(d.bytes_per_second, 1) * 1000)::int ELSE 200 + (n * 37) % 9000 END,
    CASE WHEN t.good THEN d.downloaded_bytes ELSE 0 END, CASE WHEN t.good THEN d.downloaded_bytes ELSE 0 END, d.total_bytes,
    CASE WHEN NOT t.good THEN (ARRAY['unreachable', 'timed-out', 'throttled', 'server-error', 'digest-mismatch'])[1 + (n + k) % 5] END,
    CASE WHEN NOT t.good THEN 'it did not answer as expected' END, '', 'https://' || replace(t.source, ' ', '-')
  FROM generate_series($1::int, $2::int - 1) n JOIN downloads d ON d.id = ${seedUuidSql("'seed ' || n")}
  CROSS JOIN LATERAL generate_series(0, CASE WHEN d.status = 'failed' THEN 2 WHEN ${dice('n', 'tries')} < 20 THEN 1 ELSE 0 END) k
  CROSS JOIN LATERAL (
    SELECT d.status = 'success' AND k = CASE WHEN ${dice('n', 'tries')} < 20 THEN 1 ELSE 0 END AS good
  ) g CROSS JOIN LATERAL (
    SELECT g.good, least($3::timestamptz, d.created_at + (1 + k) * interval '2 seconds') AS at,
      CASE WHEN g.good THEN coalesce(d.sources->0->>'layer', 'huggingface') ELSE 'ipfs' END AS layer,
      CASE WHEN g.good THEN d.source ELSE 'gateway-' || (1 + (n + k) % 3) || '.example' END AS source
  ) t
  WHERE d.status IN ('success', 'failed')
  ON CONFLICT DO NOTHING`;
