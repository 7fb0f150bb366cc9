import type { LayerName, SourceKind } from '#core/layer';
import { meanMs, percentileMs, type LatencyBucket } from '#core/latency-buckets';
import { DAY_MS, HOUR_MS } from '#core/units';
import type { Database } from '../sql/connect.ts';

/** Tries of one source whose durations are alike. */
export interface TrySum extends LatencyBucket {
  readonly layer: LayerName;
  readonly kind: SourceKind;
  readonly origin: string;
  readonly successes: number;
  /** Kept. */
  readonly bytes: number;
}

/** The hour in which the window begins is read from single tries, and each of the others from the coarsest roll-up that has it whole. */
const SUMS_SQL = `
  SELECT layer, kind, origin, bucket, sum(tries)::bigint AS count, sum(tries) FILTER (WHERE result = 'success')::bigint AS successes,
    sum(latency_ms)::bigint AS "totalMs", sum(bytes)::bigint AS bytes
  FROM (
    SELECT h.layer, h.kind, h.origin, h.result, h.bucket, h.tries, h.latency_ms, h.bytes FROM try_hours h
    WHERE h.slot >= $2 AND h.slot < $3
    UNION ALL
    SELECT d.layer, d.kind, d.origin, d.result, d.bucket, d.tries, d.latency_ms, d.bytes FROM try_days d WHERE d.slot >= $3
    UNION ALL
    SELECT t.layer, t.kind, haulier_origin(t.origin, t.source), t.status, haulier_bucket(t.latency_ms), 1, t.latency_ms,
      coalesce(t.committed_bytes, t.bytes)
    FROM tries t WHERE t.at >= $1 AND t.at < $2 AND t.day >= ($1::timestamptz AT TIME ZONE 'UTC')::date
      AND t.day <= ($2::timestamptz AT TIME ZONE 'UTC')::date
  ) a GROUP BY layer, kind, origin, bucket`;

/** @returns the tries since a moment, summed up by source and duration; exact to the millisecond while single tries are kept */
export async function trySums(database: Database, since: Date): Promise<TrySum[]> {
  const { rows } = await database.pool.query<TrySum>(SUMS_SQL, [since, ...bordersOf(since)]);
  return rows.map((row) => ({ ...row, successes: row.successes ?? 0 }));
}

/**
 * @returns where whole hours begin, and where whole days do. The roll-up of days has today as well, so the hours of one day at most are read:
 * with 50 sources that is a twentieth of the rows of 30 days by the hour.
 */
function bordersOf(since: Date): [hours: Date, days: Date] {
  const hours = new Date(Math.ceil(since.getTime() / HOUR_MS) * HOUR_MS);
  return [hours, new Date(Math.ceil(hours.getTime() / DAY_MS) * DAY_MS)];
}

/** Tries of one layer, or of one source. */
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

/** @param sums at least one */
export function statsOf(sums: readonly TrySum[]): TryStats {
  const total = (of: (sum: TrySum) => number): number => sums.reduce((all, sum) => all + of(sum), 0);
  const [attempts, successes] = [total(({ count }) => count), total((sum) => sum.successes)];
  const buckets = [...groupBy(sums, ({ bucket }) => String(bucket)).values()].map((same) => ({
    bucket: same[0]!.bucket,
    count: same.reduce((all, { count }) => all + count, 0),
    totalMs: same.reduce((all, { totalMs }) => all + totalMs, 0),
  }));
  return {
    ...{
      attempts,
      successes,
      successRate: attempts === 0 ? 0 : successes / attempts,
      bytes: total(({ bytes }) => bytes),
    },
    averageMs: meanMs(buckets) ?? 0,
    ...{ p50Ms: percentileMs(buckets, 0.5) ?? 0, p95Ms: percentileMs(buckets, 0.95) ?? 0 },
  };
}

export function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}
