import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import { connectPatiently, disconnect, type RedisClient } from '#queue/connection';
import type { BenchOptions } from '../bench-options.ts';
import { fact, judge, peakMib, type Goal } from '../goals.ts';
import { describeMachine } from '../machine.ts';
import type { Measured } from '../measured.ts';
import { cpuMsOf, peakBytesOf, treeCpuMsOf } from '../process-facts.ts';
import { hostsOf } from '../queue/fleet-of.ts';
import { openQueueLab, type QueueLab } from '../queue/queue-lab.ts';
import { markdownOf, rowOf, type BenchReport } from '../table.ts';
import { startIdleFleet, type IdleFleet } from './idle-fleet.ts';

const HOSTS = 10_000;
const FEW_HOSTS = 100;
/** Of the API, and of the processes that hold those of the hosts. */
const OTHER_CONNECTIONS = 1000;
/** Heartbeat and digest of the inventory, from each host. */
const REPORT_EVERY_MS = 30 * SECOND_MS;
const WINDOW_MS = 30 * SECOND_MS;
const GET_EVERY_MS = 100;

const nameOf = (hosts: number): string => `${hosts} hosts, each reports every ${REPORT_EVERY_MS / SECOND_MS} s`;

const goalsOf = (hosts: number): readonly Goal[] => [
  {
    ...{ id: 'F1', of: nameOf(hosts), what: 'cores of API and recorder', look: fact('apiCores') },
    ...{ direction: 'at most', hold: 0.25 },
  },
  {
    ...{ id: 'F2', of: nameOf(hosts), what: 'cores of Redis, no reports', look: fact('idleRedisCores') },
    ...{ direction: 'at most', hold: 0.03 },
  },
  { id: 'F3', of: nameOf(hosts), what: 'ms of a GET, p95', look: fact('getP95Ms'), direction: 'at most', hold: 50 },
  { id: 'F4', of: nameOf(hosts), what: 'peak MiB of the API', look: peakMib, direction: 'at most', hold: 350 },
  {
    ...{ id: 'F5', of: nameOf(hosts), against: nameOf(FEW_HOSTS), what: `CPU per host vs ${FEW_HOSTS} hosts` },
    ...{ look: (run, few) => run.cpuMs / hosts / (few.cpuMs / FEW_HOSTS), direction: 'at most', hold: 1.2 },
  },
];

/** Measures what a fleet costs that only reports, with a real worker's connections for each host; removes everything. */
export async function fleetBench(options: BenchOptions): Promise<{ report: BenchReport; markdown: string }> {
  const hosts = options.quick ? HOSTS / 10 : HOSTS;
  const cacheDir = join(fileURLToPath(new URL('../../..', import.meta.url)), '.cache');
  const lab = await openQueueLab({ ...options, cacheDir, env: { HAULIER_LOG_LEVEL: 'warn' } });
  const redis = connectPatiently({ url: lab.redis.url, prefix: lab.prefix }, 'bench', silentLogger);
  try {
    await redis.config('SET', 'maxclients', String(hosts + OTHER_CONNECTIONS));
    const counts = [FEW_HOSTS, hosts];
    const results: Measured[][] = [];
    for (const count of counts) results.push(await measureFleet(lab, redis, count, options));
    const names = counts.map(nameOf);
    const fleet = {
      ...{ name: 'fleet', title: 'idle workers', rounds: options.rounds, notes: notesOf(results[1]!) },
      rows: names.map((name, index) => rowOf(name, results[index]!, results[0]!)),
      goals: goalsOf(hosts).map((goal) => judge(goal, names, results)),
    };
    const report = { machine: await describeMachine(lab.folder), programs: {}, cases: [fleet] };
    return { report, markdown: markdownOf(report) };
  } finally {
    disconnect(redis);
    await lab.close();
  }
}

/** Values of the last round that no goal judges. */
const notesOf = (runs: readonly Measured[]): string[] =>
  ['redisCores', 'postgresCores', 'redisMib'].map(
    (name) => `${name} ${(runs.at(-1)?.facts?.[name] ?? NaN).toFixed(3)}`,
  );

async function measureFleet(
  lab: QueueLab,
  redis: RedisClient,
  count: number,
  { rounds, say, signal }: BenchOptions,
): Promise<Measured[]> {
  say(nameOf(count));
  const hosts = hostsOf(count, `of-${count}`);
  const order = { redisUrl: lab.redis.url, prefix: lab.prefix, hosts, reportEveryMs: REPORT_EVERY_MS };
  const fleet = await startIdleFleet(order, say, signal);
  try {
    fleet.tell('report');
    // Every host has its row, and every connection has been used.
    say(`  every host reports once, ${REPORT_EVERY_MS / SECOND_MS} s`);
    await pause(REPORT_EVERY_MS, undefined, { signal });
    const runs: Measured[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      say(
        `  round ${round}/${rounds}: ${WINDOW_MS / SECOND_MS} s without reports, then ${WINDOW_MS / SECOND_MS} s with them`,
      );
      const run = await measureRound(lab, redis, fleet, hosts, signal);
      runs.push(run);
      const facts = Object.entries(run.facts ?? {}).map(([name, value]) => `${name} ${value.toFixed(3)}`);
      say(`  round ${round}/${rounds}  ${facts.join(', ')}`);
    }
    return runs;
  } finally {
    await fleet.stop();
  }
}

async function measureRound(
  lab: QueueLab,
  redis: RedisClient,
  fleet: IdleFleet,
  hosts: readonly string[],
  signal: AbortSignal,
): Promise<Measured> {
  const { pid } = lab.stack.api;
  fleet.tell('rest');
  await pause(SECOND_MS, undefined, { signal });
  const idle = await during(lab, () => pause(WINDOW_MS, undefined, { signal }));
  fleet.tell('report');
  const times: number[] = [];
  const busy = await during(lab, () => readNow(lab, hosts, times, signal));
  const sorted = times.toSorted((a, b) => a - b);
  const memory = /used_memory:(\d+)/.exec(await redis.info('memory'))?.[1];
  return {
    wallMs: busy.wallMs,
    cpuMs: busy.apiMs,
    peakBytes: peakBytesOf(pid) ?? NaN,
    facts: {
      apiCores: busy.apiMs / busy.wallMs,
      idleRedisCores: idle.redisMs / idle.wallMs,
      redisCores: busy.redisMs / busy.wallMs,
      postgresCores: busy.postgresMs / busy.wallMs,
      getP95Ms: sorted[Math.ceil(sorted.length * 0.95) - 1] ?? NaN,
      redisMib: Number(memory) / 1024 ** 2,
    },
  };
}

interface Spent {
  readonly wallMs: number;
  readonly apiMs: number;
  readonly redisMs: number;
  readonly postgresMs: number;
}

async function during({ stack, redis, postgres }: QueueLab, work: () => Promise<unknown>): Promise<Spent> {
  const spent = () => [cpuMsOf(stack.api.pid), cpuMsOf(redis.pid), treeCpuMsOf(postgres.pid)] as const;
  const before = spent();
  const startedAt = performance.now();
  await work();
  const wallMs = performance.now() - startedAt;
  const after = spent();
  return { wallMs, apiMs: after[0] - before[0], redisMs: after[1] - before[1], postgresMs: after[2] - before[2] };
}

/** What a dashboard and a pipeline read, in turn. */
async function readNow(lab: QueueLab, hosts: readonly string[], times: number[], signal: AbortSignal): Promise<void> {
  const paths = ['/api/status', '/api/hosts?limit=100', `/api/hosts/${hosts[0]}`, '/api/downloads?limit=50'];
  const endsAt = performance.now() + WINDOW_MS;
  for (let turn = 0; performance.now() < endsAt; turn += 1) {
    const startedAt = performance.now();
    const url = `${lab.stack.apiUrl}${paths[turn % paths.length]}`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${lab.token}` }, signal });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${url} answers ${answer.status}: ${text}`);
    times.push(performance.now() - startedAt);
    await pause(Math.max(0, GET_EVERY_MS - (performance.now() - startedAt)), undefined, { signal });
  }
}
