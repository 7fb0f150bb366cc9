import type { Database } from '#database/sql/connect';
import { seedUuidSql } from './seed-ids.ts';

interface HostPlan {
  readonly hosts: number;
  readonly days: number;
  readonly now: Date;
  /** Hosts that are online stay so for this long without any worker; milliseconds. */
  readonly onlineForMs: number;
  readonly workerVersion: string;
}

/** Name of the n-th host, counted from 1: a few kinds of machines at a few sites. */
export const HOST_NAME_SQL = (n: string): string =>
  `(CASE WHEN ${n} % 10 < 6 THEN 'gpu-' WHEN ${n} % 10 < 9 THEN 'edge-' ELSE 'dev-' END || lpad((${n})::text, 5, '0'))`;

/** What the n-th host tells of three gateways and a hub; each gateway is paused on some. */
const SOURCES_SQL = `(SELECT jsonb_agg(jsonb_build_object('layer', CASE g WHEN 4 THEN 'huggingface' ELSE 'ipfs' END,
    'kind', CASE g WHEN 4 THEN 'huggingface' ELSE 'ipfs-gateway' END,
    'origin', CASE g WHEN 4 THEN 'https://huggingface.co' ELSE 'https://gateway-' || g || '.example' END,
    'place', CASE g WHEN 4 THEN 1 ELSE g END, 'breaker', CASE WHEN (n + g) % 40 = 0 THEN 'open' ELSE 'closed' END,
    'waitMs', CASE WHEN (n + g) % 40 = 0 THEN 30000 ELSE 0 END, 'successRate', 0.9 + (n + g) % 10 / 100.0,
    'bytesPerSecond', 1e7::bigint + (n * g) % 50 * 1000000, 'requestsPerMinute', 60, 'connections', 2) ORDER BY g)
  FROM generate_series(1, 4) g)`;

/**
 * Writes the hosts: 96 of 100 online, some offline for hours or days, some with old workers, a full disk, or drained. Hosts that
 * are there already stay as they are.
 *
 * @returns how many are new
 */
export async function seedHosts({ pool }: Database, plan: HostPlan): Promise<number> {
  const sql = `
    INSERT INTO hosts (name, first_seen_at, last_seen_at, boot_id, last_sequence, reported_at, store_bytes, free_bytes, file_count,
      worker_version, worker_labels, facts, source_reports, draining, offline_since)
    SELECT name, $2::timestamptz - days * interval '1 day', seen, gen_random_uuid(), (random() * 1e5)::bigint, least(seen, $2), store,
      CASE WHEN n % 67 = 0 THEN (random() * 5e8)::bigint ELSE (5e10 + random() * 9e11)::bigint END,
      (store / 9e8)::int + 1,
      CASE WHEN n % 50 = 7 THEN '0.0.9' WHEN n % 12 = 5 THEN '0.1.0-rc.2' ELSE $5 END,
      jsonb_build_object('site', (ARRAY['eu-1', 'eu-2', 'us-1', 'us-2', 'ap-1'])[1 + n % 5], 'gpu', CASE WHEN n % 10 < 6 THEN 'true' ELSE 'false' END,
        'tier', (ARRAY['production', 'production', 'production', 'staging'])[1 + n % 4]),
      jsonb_build_object('os', 'linux', 'arch', CASE WHEN n % 10 BETWEEN 6 AND 8 THEN 'arm64' ELSE 'x64' END,
        'memoryBytes', 17179869184 * (1 + n % 8), 'gpus', CASE WHEN n % 10 < 6 THEN 1 + n % 4 ELSE 0 END,
        'timeZone', (ARRAY['Europe/Berlin', 'Europe/Paris', 'America/New_York', 'America/Los_Angeles', 'Asia/Tokyo'])[1 + n % 5]),
      ${SOURCES_SQL}, n % 211 = 3, CASE WHEN seen < $2 THEN seen END
    FROM (
      SELECT n, ${HOST_NAME_SQL('n')} AS name, $3::int AS days, (1e9 + random() * 4e10)::bigint AS store,
        CASE WHEN n % 25 <> 4 THEN $2::timestamptz + $4 * interval '1 millisecond'
          WHEN n % 3 = 0 THEN $2::timestamptz - random() * $3 * interval '1 day'
          ELSE $2::timestamptz - interval '10 minutes' - random() * interval '12 hours' END AS seen
      FROM generate_series(1, $1::int) n
    ) planned ON CONFLICT DO NOTHING`;
  const parameters = [plan.hosts, plan.now, plan.days, plan.onlineForMs, plan.workerVersion];
  return (await pool.query(sql, parameters)).rowCount ?? 0;
}

/** Writes notices of the last days, most of them harmless. */
export async function seedNotices({ pool }: Database, plan: HostPlan): Promise<void> {
  const sql = `
    INSERT INTO host_notices (boot_id, sequence, position, host, at, notice, model, path, message)
    SELECT ${seedUuidSql("'seed notice ' || n")}, n, 0, ${HOST_NAME_SQL('(1 + (n * 7919) % $1::int)')}, $2::timestamptz - random() * $3 * interval '1 day',
      (ARRAY['store_over_limit', 'repaired', 'missing', 'degraded'])[1 + n % 4], 'whisper-base', NULL,
      (ARRAY['the store has more than its warning limit', 'encoder.onnx was fetched again', 'encoder.onnx is gone and is fetched again',
        'an older version is served, because the new one cannot be had'])[1 + n % 4]
    FROM generate_series(1, least(200, $1::int)) n ON CONFLICT DO NOTHING`;
  await pool.query(sql, [plan.hosts, plan.now, plan.days]);
}
