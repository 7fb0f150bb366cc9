import type { MetricChart } from '#contracts/http/metrics';
import { percentileMs, type LatencyBucket } from '#core/latency-buckets';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#core/units';
import type { Database } from '../sql/connect.ts';
import { groupBy } from './try-sums.ts';

/** The time that a chart shows, cut into slots. */
export interface ChartSlots {
  /** Start of the first slot. */
  readonly since: Date;
  readonly until: Date;
  readonly stepMs: number;
  /** What is later is not read: the end of the last slot, or infinity for a slot that is not over yet. */
  readonly end: Date | 'infinity';
}

/** A measured value of one slot and series. */
interface Point {
  readonly slot: Date;
  readonly name: string;
  readonly value: number | null;
}

export interface ChartSeries {
  readonly name: string;
  readonly unit: 'bytes_per_second' | 'ratio' | 'milliseconds' | 'count';
  readonly points: readonly Point[];
  /** For the order: the biggest first. */
  readonly weight: number;
}

const SHORT_MS = 6 * HOUR_MS;
const MIDDLE_MS = 14 * DAY_MS;

/** Slots of a minute to a day, so that a chart has some hundred of them at most. */
export function slotsOf(windowMs: number, now: Date): ChartSlots {
  const stepMs =
    windowMs <= HOUR_MS ? MINUTE_MS : windowMs <= SHORT_MS ? 5 * MINUTE_MS : windowMs <= MIDDLE_MS ? HOUR_MS : DAY_MS;
  const start = now.getTime() - windowMs;
  return { since: new Date(Math.floor(start / stepMs) * stepMs), until: now, stepMs, end: 'infinity' };
}

/** @returns as many slots, whole ones, a window earlier */
export function slotsBefore({ since, until, stepMs }: ChartSlots, windowMs: number): ChartSlots {
  const start = since.getTime() - Math.ceil(windowMs / stepMs) * stepMs;
  const end = start + slotCount({ since, until, stepMs }) * stepMs;
  return { since: new Date(start), until: new Date(end - 1), stepMs, end: new Date(end) };
}

/** How many slots there are; the last one may have begun just now. */
export const slotCount = ({ since, until, stepMs }: Pick<ChartSlots, 'since' | 'until' | 'stepMs'>): number =>
  Math.floor((until.getTime() - since.getTime()) / stepMs) + 1;

/** Slots shorter than an hour are counted from single rows, the others from the roll-up of their length. */
const SLOT_SQL = `date_bin($2::bigint * interval '1 millisecond', %s, 'epoch'::timestamptz)`;
const slotOf = (column: string): string => SLOT_SQL.replace('%s', column);

const TRIES_SQL = `SELECT ${slotOf('t.at')} AS slot, haulier_origin(t.origin, t.source) AS origin,
    CASE WHEN t.status = 'success' THEN 'success' ELSE coalesce(t.error_kind, 'unknown') END AS result, count(*) AS tries,
    sum(coalesce(t.committed_bytes, t.bytes))::bigint AS bytes
  FROM tries t WHERE t.at >= $1 AND t.at < $3 AND t.day >= ($1::timestamptz AT TIME ZONE 'UTC')::date GROUP BY 1, 2, 3`;

const rolledSql = (table: 'try_hours' | 'try_days'): string => `SELECT ${slotOf('h.slot')} AS slot, h.origin, h.result,
    sum(h.tries)::bigint AS tries, sum(h.bytes)::bigint AS bytes
  FROM ${table} h WHERE h.slot >= $1 AND h.slot < $3 GROUP BY 1, 2, 3`;

interface TryCount {
  readonly slot: Date;
  readonly origin: string;
  readonly result: string;
  readonly tries: number;
  readonly bytes: number;
}

async function tryCounts({ pool }: Database, { since, stepMs, end }: ChartSlots): Promise<TryCount[]> {
  const sql = stepMs < HOUR_MS ? TRIES_SQL : rolledSql(stepMs < DAY_MS ? 'try_hours' : 'try_days');
  return (await pool.query<TryCount>(sql, [since, stepMs, end])).rows;
}

const READY_MS = `greatest(0, extract(epoch FROM d.completed_at - coalesce(d.asked_at, d.created_at)) * 1000)::bigint`;

/** Downloads that ended, each with its slot, outcome, bucket, count and time. */
const ENDS_SQL = `SELECT ${slotOf('d.completed_at')} AS slot, d.outcome, haulier_bucket(${READY_MS}) AS bucket, 1 AS count, ${READY_MS} AS ms
  FROM downloads d WHERE d.completed_at >= $1 AND d.completed_at < $3 AND d.outcome IS NOT NULL`;

const ROLLED_ENDS_SQL = `SELECT ${slotOf('h.slot')} AS slot, h.outcome, h.bucket, h.downloads AS count, h.ready_ms AS ms
  FROM download_hours h WHERE h.slot >= $1 AND h.slot < $3`;

const endsOf = (stepMs: number): string => (stepMs < HOUR_MS ? ENDS_SQL : ROLLED_ENDS_SQL);

interface OutcomeCount {
  readonly slot: Date;
  readonly outcome: string;
  readonly count: number;
}

async function outcomeCounts({ pool }: Database, { since, stepMs, end }: ChartSlots): Promise<OutcomeCount[]> {
  const sql = `SELECT e.slot, e.outcome, sum(e.count)::bigint AS count FROM (${endsOf(stepMs)}) e GROUP BY 1, 2`;
  return (await pool.query<OutcomeCount>(sql, [since, stepMs, end])).rows;
}

/** Of the downloads that brought their file. */
async function readyBuckets(
  { pool }: Database,
  { since, stepMs, end }: ChartSlots,
): Promise<(LatencyBucket & Pick<Point, 'slot'>)[]> {
  const sql = `SELECT e.slot, e.bucket, sum(e.count)::bigint AS count, sum(e.ms)::bigint AS "totalMs" FROM (${endsOf(stepMs)}) e
    WHERE e.outcome <> 'all_layers_exhausted' GROUP BY 1, 2`;
  return (await pool.query<LatencyBucket & Pick<Point, 'slot'>>(sql, [since, stepMs, end])).rows;
}

/** @returns the series of a chart; a slot without a point was not measured */
export async function chartSeries(database: Database, chart: MetricChart, slots: ChartSlots): Promise<ChartSeries[]> {
  return CHARTS[chart](database, slots);
}

type MakeChart = (database: Database, slots: ChartSlots) => Promise<ChartSeries[]>;

const CHARTS: Readonly<Record<MetricChart, MakeChart>> = {
  bytes_per_second: async (database, slots) => {
    const counts = (await tryCounts(database, slots)).filter(({ bytes }) => bytes > 0);
    return seriesOf(
      withOthers(counts),
      'bytes_per_second',
      (same) => (sum(same, ({ bytes }) => bytes) * 1000) / lengthMs(same[0]!.slot, slots),
    );
  },
  success_rate: async (database, slots) => {
    const counts = await tryCounts(database, slots);
    const isSuccess = ({ result }: TryCount): boolean => result === 'success';
    return seriesOf(withOthers(counts), 'ratio', (same) => sum(same.filter(isSuccess), triesOf) / sum(same, triesOf));
  },
  failures: async (database, slots) => {
    const failed = (await tryCounts(database, slots)).filter(({ result }) => result !== 'success');
    return seriesOf(
      failed.map((one) => ({ ...one, name: one.result, weight: one.tries })),
      'count',
      (same) => sum(same, triesOf),
    );
  },
  fallback_depth: async (database, slots) => {
    const ends = (await outcomeCounts(database, slots)).map((end) => ({
      ...end,
      name: end.outcome,
      weight: end.count,
    }));
    return seriesOf(ends, 'count', (same) => sum(same, ({ count }) => count));
  },
  time_to_ready: async (database, slots) => {
    const bySlot = groupBy(await readyBuckets(database, slots), ({ slot }) => String(slot.getTime()));
    if (bySlot.size === 0) return [];
    return [0.5, 0.95, 0.99].map((share) => ({
      ...{ name: `p${share * 100}`, unit: 'milliseconds', weight: share },
      points: [...bySlot.values()].map((same) => ({
        ...{ slot: same[0]!.slot, name: `p${share * 100}`, value: percentileMs(same, share) },
      })),
    }));
  },
  queue: queueSeries,
};

async function queueSeries({ pool }: Database, { since, stepMs, end }: ChartSlots): Promise<ChartSeries[]> {
  const sql = `SELECT ${slotOf('q.at')} AS slot, round(avg(q.waiting))::float8 AS waiting, round(avg(q.running))::float8 AS running,
      round(avg(q.paused))::float8 AS paused, max(q.oldest_waiting_ms) AS "oldestWaiting"
    FROM queue_samples q WHERE q.at >= $1 AND q.at < $3 GROUP BY 1`;
  type Row = { slot: Date } & Record<'waiting' | 'running' | 'paused' | 'oldestWaiting', number>;
  const { rows } = await pool.query<Row>(sql, [since, stepMs, end]);
  if (rows.length === 0) return [];
  const of = (field: Exclude<keyof Row, 'slot'>, name: string, unit: ChartSeries['unit']): ChartSeries => ({
    ...{ name, unit, weight: 0 },
    points: rows.map((row) => ({ slot: row.slot, name, value: row[field] })),
  });
  return [
    of('waiting', 'waiting', 'count'),
    of('running', 'running', 'count'),
    of('paused', 'paused', 'count'),
    of('oldestWaiting', 'oldest_waiting', 'milliseconds'),
  ];
}

interface Named {
  readonly slot: Date;
  readonly name: string;
  readonly weight: number;
}

/** Sources beyond this number are shown as one. */
const MOST_SOURCES = 10;

function withOthers(counts: readonly TryCount[]): (TryCount & Named)[] {
  const byOrigin = [...groupBy(counts, ({ origin }) => origin)];
  const weights = byOrigin.map(([origin, same]) => [origin, sum(same, ({ bytes, tries }) => bytes + tries)] as const);
  const shown = new Set(
    weights
      .toSorted(([, a], [, b]) => b - a)
      .slice(0, MOST_SOURCES)
      .map(([origin]) => origin),
  );
  return counts.map((one) => {
    const isShown = shown.has(one.origin);
    return { ...one, name: isShown ? one.origin : 'other', weight: isShown ? one.bytes + one.tries : 0 };
  });
}

function seriesOf<Item extends Named>(
  items: readonly Item[],
  unit: ChartSeries['unit'],
  valueOf: (sameSlot: readonly Item[]) => number | null,
): ChartSeries[] {
  const series = [...groupBy(items, ({ name }) => name)].map(([name, of]) => ({
    ...{ name, unit, weight: sum(of, ({ weight }) => weight) },
    points: [...groupBy(of, ({ slot }) => String(slot.getTime())).values()].map((same) => ({
      ...{ slot: same[0]!.slot, name, value: valueOf(same) },
    })),
  }));
  return series.toSorted((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : 1));
}

/** The last slot is not over yet. */
const lengthMs = (slot: Date, { until, stepMs }: ChartSlots): number =>
  Math.max(1, Math.min(stepMs, until.getTime() - slot.getTime()));

const triesOf = ({ tries }: TryCount): number => tries;

const sum = <Item>(items: readonly Item[], of: (item: Item) => number): number =>
  items.reduce((total, item) => total + of(item), 0);

const SAMPLE_COLUMNS = `count(*) FILTER (WHERE d.status = 'pending')::int AS waiting,
  count(*) FILTER (WHERE d.status IN ('in_progress', 'resuming'))::int AS running,
  count(*) FILTER (WHERE d.status = 'paused')::int AS paused,
  coalesce(greatest(0, extract(epoch FROM $1::timestamptz - min(coalesce(d.asked_at, d.created_at))
    FILTER (WHERE d.status = 'pending')) * 1000), 0)::bigint AS "oldestWaitingMs"`;

/** @returns how many downloads of hosts and of the pool wait and run now */
export async function queuesNow({ pool }: Database, now: Date): Promise<(QueueSample & { queue: 'hosts' | 'pool' })[]> {
  const sql = `SELECT CASE WHEN d.host IS NULL THEN 'pool' ELSE 'hosts' END AS queue, ${SAMPLE_COLUMNS} FROM downloads d
    WHERE d.status IN ('pending', 'in_progress', 'resuming', 'paused') GROUP BY 1`;
  return (await pool.query<QueueSample & { queue: 'hosts' | 'pool' }>(sql, [now])).rows;
}

/** How many downloads wait and run now. */
export interface QueueSample {
  readonly waiting: number;
  readonly running: number;
  readonly paused: number;
  /** Age of the oldest that waits; 0 when none does. */
  readonly oldestWaitingMs: number;
}

async function queueNow({ pool }: Database, now: Date): Promise<QueueSample> {
  const sql = `SELECT ${SAMPLE_COLUMNS} FROM downloads d WHERE d.status IN ('pending', 'in_progress', 'resuming', 'paused')`;
  return (await pool.query<QueueSample>(sql, [now])).rows[0]!;
}

/** Keeps the sample of this minute; of several processes one writes it. */
export async function sampleQueue(database: Database, now: Date): Promise<void> {
  const { waiting, running, paused, oldestWaitingMs } = await queueNow(database, now);
  const sql = `INSERT INTO queue_samples (at, waiting, running, paused, oldest_waiting_ms)
    VALUES (date_trunc('minute', $1::timestamptz), $2, $3, $4, $5) ON CONFLICT DO NOTHING`;
  await database.pool.query(sql, [now, waiting, running, paused, oldestWaitingMs]);
}
