import type { Database } from '#database/sql/connect';

/** Fills what charts read beside the tries, which roll themselves up: downloads by hour, and the length of the queue by minute. */
export async function seedCharts(
  { pool }: Database,
  { days, hosts, now }: { readonly days: number; readonly hosts: number; readonly now: Date },
): Promise<void> {
  await pool.query(DOWNLOAD_HOURS_SQL);
  await pool.query(QUEUE_SAMPLES_SQL, [now, days, hosts]);
}

const DOWNLOAD_HOURS_SQL = `
  INSERT INTO download_hours AS h (slot, outcome, bucket, downloads, ready_ms)
  SELECT date_trunc('hour', e.completed_at, 'UTC'), e.outcome, haulier_bucket(e.ms), count(*), sum(e.ms)
  FROM (
    SELECT d.completed_at, d.outcome,
      greatest(0, extract(epoch FROM d.completed_at - coalesce(d.asked_at, d.created_at)) * 1000)::bigint AS ms
    FROM downloads d WHERE d.completed_at IS NOT NULL AND d.outcome IS NOT NULL
  ) e GROUP BY 1, 2, 3
  ON CONFLICT (slot, outcome, bucket) DO UPDATE SET downloads = greatest(h.downloads, excluded.downloads),
    ready_ms = greatest(h.ready_ms, excluded.ready_ms)`;

/** Busy by day, quiet by night. `$1` now, `$2` days, `$3` hosts. */
const QUEUE_SAMPLES_SQL = `
  INSERT INTO queue_samples (at, waiting, running, paused, oldest_waiting_ms)
  SELECT m, (busy * $3::int / 4)::int, (busy * $3::int / 10)::int, (busy * $3::int / 50)::int, (busy * 240000)::bigint
  FROM generate_series(date_trunc('minute', $1::timestamptz - $2::int * interval '1 day'), $1::timestamptz, interval '1 minute') m,
    LATERAL (SELECT (1 + sin(extract(epoch FROM m) / 86400 * 2 * pi())) / 2 AS busy) b
  ON CONFLICT DO NOTHING`;
