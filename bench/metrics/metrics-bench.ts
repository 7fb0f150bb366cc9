import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DAY_MS } from '#core/units';
import { metricsSummary } from '#database/history/metrics-queries';
import { ensureTryPartitions } from '#database/history/try-partitions';
import type { Database } from '#database/sql/connect';
import type { BenchOptions } from '../bench-options.ts';
import { judge, type Goal, type Look } from '../goals.ts';
import { describeMachine } from '../machine.ts';
import type { Measured } from '../measured.ts';
import { openQueueLab } from '../queue/queue-lab.ts';
import { interleave, type Variant } from '../rounds.ts';
import { markdownOf, rowOf, type BenchReport, type CaseReport } from '../table.ts';
import { copyTries, fillTries, insertTries, stagedTries } from './fill-tries.ts';

const TRIES = 10_000_000;
const DAYS = 30;
/** Tries of one measure of the ingest, in batches as a recorder stores them. */
const INGESTED = 100_000;
const BATCH = 2000;

const RAW = 'summary from single tries';
const ROLLED = 'summary from the roll-ups';
const COPY = 'COPY of the rows into a table without roll-ups';
const INGEST = `INSERT with roll-up, ${BATCH} tries in a transaction`;

const seconds: Look = (run) => run.wallMs / 1000;
const speedShare: Look = (run, against) => against.wallMs / run.wallMs;
const timesFaster: Look = (run, against) => against.wallMs / run.wallMs;

const SUMMARY_GOALS: readonly Goal[] = [
  { id: 'M1', of: ROLLED, what: 's for 30 days', look: seconds, direction: 'at most', hold: 0.3 },
  { id: 'M2', of: ROLLED, against: RAW, what: 'times faster', look: timesFaster, direction: 'at least', hold: 40 },
];

const INGEST_GOALS: readonly Goal[] = [
  { id: 'M3', of: INGEST, against: COPY, what: 'speed vs COPY', look: speedShare, direction: 'at least', hold: 0.15 },
];

/** What a summary was computed with before there were roll-ups. */
const RAW_SQL = `SELECT t.layer, haulier_origin(t.origin, t.source) AS gateway, count(*) AS attempts,
    count(*) FILTER (WHERE t.status = 'success') AS successes, avg(t.latency_ms)::float8 AS average,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY t.latency_ms) AS p50,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY t.latency_ms) AS p95, sum(t.committed_bytes)::bigint AS bytes
  FROM tries t WHERE t.at >= $1 AND t.day >= ($1::timestamptz AT TIME ZONE 'UTC')::date GROUP BY 1, 2`;

/** Measures summaries of 30 days and the storing of tries on a PostgreSQL of its own; removes everything. */
export async function metricsBench(options: BenchOptions): Promise<{ report: BenchReport; markdown: string }> {
  const tries = options.quick ? TRIES / 10 : TRIES;
  const cacheDir = join(fileURLToPath(new URL('../../..', import.meta.url)), '.cache');
  const lab = await openQueueLab({ ...options, cacheDir });
  try {
    const { parts: database } = lab;
    const now = new Date();
    for (let day = DAYS; day >= 0; day -= 4)
      await ensureTryPartitions(database, new Date(now.getTime() - day * DAY_MS));
    await fillTries(database, { tries, days: DAYS, now, ...options });
    const cases = [
      await runCase(
        'summary',
        `${tries / 1e6} M tries in ${DAYS} days`,
        summaryVariants(database, now),
        SUMMARY_GOALS,
        options,
      ),
      await runCase(
        'ingest',
        `${INGESTED} tries`,
        ingestVariants(database, `${lab.folder}/postgres/tries.copy`, now),
        INGEST_GOALS,
        options,
      ),
    ];
    const report = { machine: await describeMachine(lab.folder), programs: {}, cases };
    return { report, markdown: markdownOf(report) };
  } finally {
    await lab.close();
  }
}

async function runCase(
  name: string,
  title: string,
  variants: readonly Variant[],
  goals: readonly Goal[],
  options: BenchOptions,
): Promise<CaseReport> {
  options.say(`${name}: ${title}`);
  const results = await interleave(variants, { ...options, level: () => Promise.resolve() });
  const names = variants.map((variant) => variant.name);
  return {
    ...{ name, title, rounds: options.rounds, notes: [] },
    rows: names.map((variant, index) => rowOf(variant, results[index]!, results[0]!)),
    goals: goals.map((goal) => judge(goal, names, results)),
  };
}

function summaryVariants(database: Database, now: Date): Variant[] {
  const since = new Date(now.getTime() - DAYS * DAY_MS);
  return [
    variantOf(RAW, async () => void (await database.pool.query(RAW_SQL, [since]))),
    variantOf(ROLLED, async () => void (await metricsSummary(database, since))),
  ];
}

/** Both write the same rows: the one from a file, the other in transactions as a recorder does. */
function ingestVariants(database: Database, path: string, now: Date): Variant[] {
  const prepare = (): Promise<void> => stagedTries(database, INGESTED, path, now);
  return [
    variantOf(COPY, () => copyTries(database, path), prepare),
    variantOf(INGEST, () => insertTries(database, INGESTED, BATCH), prepare),
  ];
}

/** The work is that of PostgreSQL, whose processes are not this one's: its CPU is not measured. */
const variantOf = (
  name: string,
  work: () => Promise<void>,
  prepare = (): Promise<void> => Promise.resolve(),
): Variant => ({
  name,
  prepare,
  run: async (): Promise<Measured> => {
    const startedAt = performance.now();
    await work();
    return { wallMs: performance.now() - startedAt, cpuMs: NaN, peakBytes: NaN };
  },
});
