import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchOptions } from '../bench-options.ts';
import { fact, judge, wallRatio, type Goal, type Look } from '../goals.ts';
import { describeMachine } from '../machine.ts';
import { interleave, type Variant } from '../rounds.ts';
import { markdownOf, rowOf, type BenchReport, type CaseReport } from '../table.ts';
import type { FleetSize } from './fleet-of.ts';
import { openQueueLab, type QueueLab } from './queue-lab.ts';
import { COPY, POST, RAW, RELAY, ROWS, postVariant, queueingVariants } from './queueing.ts';
import { BARE, PATH, warmPathVariants } from './warm-path.ts';

export interface QueueBenchOptions extends BenchOptions {
  /** Names of cases; empty: all. */
  readonly only: readonly string[];
}

interface QueueCase {
  readonly title: string;
  readonly goals: readonly Goal[];
  open(lab: QueueLab): Promise<{ variants: readonly Variant[]; close: () => void | Promise<void> }>;
}

const QUICK_SHARE = 10;
const FEW_HOSTS = 100;
const POST_FEW = `POST until all jobs are in Redis, ${FEW_HOSTS} hosts`;
/** Files of the warm path, one after another. */
const PATH_FILES = 100;

const seconds: Look = (run) => run.wallMs / 1000;
/** The other's time as a share of ours: 1 is as fast. */
const speedShare: Look = (run, against) => against.wallMs / run.wallMs;
const overMedian =
  (name: string): Look =>
  (run, against) =>
    fact(name)(run, run) - fact('medianMs')(against, against);

const PARTS: readonly Goal[] = [
  { id: 'Q3', of: ROWS, against: COPY, what: 'wall vs COPY', look: wallRatio, direction: 'at most', hold: 1.1 },
  { id: 'Q4', of: RELAY, against: RAW, what: 'speed vs addBulk', look: speedShare, direction: 'at least', hold: 0.4 },
];

const WHOLE: readonly Goal[] = [
  {
    ...{ id: 'Q1', of: POST, what: 's to the answer', direction: 'at most', hold: 1.5 },
    look: (run, other) => fact('answeredMs')(run, other) / 1000,
  },
  { id: 'Q2', of: POST, what: 's to the last job', look: seconds, direction: 'at most', hold: 10 },
];

/** Of one host among so many, against one host among few. */
const perHost = (hosts: number): Goal => ({
  ...{ id: 'Q5', of: POST, against: POST_FEW, what: `time per host vs ${FEW_HOSTS} hosts` },
  ...{ look: (run, few) => run.wallMs / hosts / (few.wallMs / FEW_HOSTS), direction: 'at most', hold: 1.2 },
});

/** The build before took 111 times as long as addBulk (44.6 s for 10,000 downloads). */
const MODEST: readonly Goal[] = [
  { id: 'Q6', of: POST, against: RAW, what: 'wall vs addBulk', look: wallRatio, direction: 'at most', hold: 111 / 40 },
];

const WARM: readonly Goal[] = [
  {
    ...{ id: 'Q7', of: PATH, against: BARE, what: 'ms over the transfer, median' },
    ...{ look: overMedian('medianMs'), direction: 'at most', hold: 60 },
  },
  {
    ...{ id: 'Q8', of: PATH, against: BARE, what: 'ms over the transfer, p95' },
    ...{ look: overMedian('p95Ms'), direction: 'at most', hold: 120 },
  },
];

const titleOf = ({ hosts, files }: FleetSize): string => `${hosts} hosts × ${files} files`;

function queueCase(size: FleetSize, goals: readonly Goal[], few?: FleetSize): QueueCase {
  return {
    title: titleOf(size),
    goals,
    open: (lab) => {
      const { variants, close } = queueingVariants(lab, size);
      return Promise.resolve({ variants: few ? [...variants, postVariant(lab, few, POST_FEW)] : variants, close });
    },
  };
}

function casesOf(quick: boolean): ReadonlyMap<string, QueueCase> {
  const share = quick ? QUICK_SHARE : 1;
  const wide = { hosts: 10_000 / share, files: 6 };
  const whole = quick ? [] : WHOLE;
  return new Map([
    ['wide', queueCase(wide, [...PARTS, ...whole, perHost(wide.hosts)], { hosts: FEW_HOSTS, files: 6 })],
    ['deep', queueCase({ hosts: 200 / share, files: 300 }, [...PARTS, ...whole])],
    ['modest', queueCase({ hosts: FEW_HOSTS / share, files: 100 }, quick ? [] : MODEST)],
    [
      'path',
      {
        title: `${PATH_FILES / share} files of 1 MB, one after another, by a worker that is up`,
        goals: WARM,
        open: (lab) => warmPathVariants(lab, PATH_FILES / share),
      },
    ],
  ]);
}

/**
 * Measures how downloads get into the queues and to the disk, on a PostgreSQL, a Redis and an API of its own; removes everything.
 *
 * @throws RangeError for a case that does not exist
 */
export async function queueBench(options: QueueBenchOptions): Promise<{ report: BenchReport; markdown: string }> {
  const cases = casesOf(options.quick);
  const unknown = options.only.filter((name) => !cases.has(name));
  if (unknown.length > 0)
    throw new RangeError(`no case ${unknown.join(', ')}: there are ${[...cases.keys()].join(', ')}`);
  const cacheDir = join(fileURLToPath(new URL('../../..', import.meta.url)), '.cache');
  const lab = await openQueueLab({ ...options, cacheDir });
  try {
    const reports: CaseReport[] = [];
    for (const [name, one] of cases) {
      if (options.only.length > 0 && !options.only.includes(name)) continue;
      options.say(`${name}: ${one.title}`);
      reports.push(await runCase(name, one, lab, options));
    }
    const report = { machine: await describeMachine(lab.folder), programs: await programsOf(lab), cases: reports };
    return { report, markdown: markdownOf(report) };
  } finally {
    await lab.close();
  }
}

async function runCase(name: string, one: QueueCase, lab: QueueLab, options: QueueBenchOptions): Promise<CaseReport> {
  const { variants, close } = await one.open(lab);
  try {
    const results = await interleave(variants, { ...options, level: () => Promise.resolve() });
    const names = variants.map((variant) => variant.name);
    return {
      ...{ name, title: one.title, rounds: options.rounds, notes: [] },
      rows: names.map((variant, index) => rowOf(variant, results[index]!, results[0]!)),
      goals: one.goals.map((goal) => judge(goal, names, results)),
    };
  } finally {
    await close();
  }
}

async function programsOf({ database }: QueueLab): Promise<Record<string, string>> {
  const { rows } = await database.pool.query<{ version: string }>(
    `SELECT current_setting('server_version') AS version`,
  );
  return { postgres: `PostgreSQL ${rows[0]!.version}` };
}
