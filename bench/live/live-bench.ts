import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import { silentLogger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import type { Database } from '#database/sql/connect';
import { freePort } from '#os/port';
import { connectPatiently, disconnect } from '#queue/connection';
import { EventPublisher } from '#queue/events/event-publisher';
import type { BenchOptions } from '../bench-options.ts';
import { startNodeProcess, type NodeProcess } from '../../apps/cli/stack/node-process.ts';
import { fact, judge, type Goal } from '../goals.ts';
import { describeMachine } from '../machine.ts';
import type { Measured } from '../measured.ts';
import { percentile } from '../percentile.ts';
import { cpuMsOf, peakBytesOf, treeCpuMsOf } from '../process-facts.ts';
import { enterHosts, hostsOf, manifestOf } from '../queue/fleet-of.ts';
import { openQueueLab, type QueueLab } from '../queue/queue-lab.ts';
import { markdownOf, rowOf, type BenchReport } from '../table.ts';
import { openClients, type Clients } from './clients.ts';

const REPORTS_PER_SECOND = 2000;
const CLIENTS = 200;
const FILES = 20;
const WINDOW_MS = 15 * SECOND_MS;
/** What PostgreSQL needs for the requests alone is measured this long, and left out. */
const QUIET_MS = 8 * SECOND_MS;
const GET_EVERY_MS = 100;
const DIST = fileURLToPath(new URL('../..', import.meta.url));

const LIVE = 'live events of two API processes';
const UPDATES = 'one UPDATE for each report';

const GOALS: readonly Goal[] = [
  { id: 'L1', of: LIVE, what: 'cores of both APIs', look: fact('apiCores'), direction: 'at most', hold: 0.5 },
  {
    id: 'L2',
    of: LIVE,
    what: 'ms from report to client, p95',
    look: fact('delayP95Ms'),
    direction: 'at most',
    hold: 1200,
  },
  { id: 'L3', of: LIVE, what: 'ms of a GET, p95', look: fact('getP95Ms'), direction: 'at most', hold: 50 },
  {
    ...{ id: 'L4', of: LIVE, against: UPDATES, what: 'CPU of PostgreSQL for reports vs one UPDATE a report' },
    look: (run, updates) => fact('reportCores')(run, run) / fact('postgresCores')(updates, updates),
    ...{ direction: 'at most', hold: 1 / 20 },
  },
];

/** Measures what it costs to show running downloads to many clients; removes everything. */
export async function liveBench(options: BenchOptions): Promise<{ report: BenchReport; markdown: string }> {
  const share = options.quick ? 5 : 1;
  const [perSecond, clientCount] = [REPORTS_PER_SECOND / share, CLIENTS / share];
  const cacheDir = join(fileURLToPath(new URL('../../..', import.meta.url)), '.cache');
  const lab = await openQueueLab({ ...options, cacheDir, env: { HAULIER_LOG_LEVEL: 'warn' } });
  const closes: (() => Promise<unknown>)[] = [];
  try {
    const second = await secondApi(lab);
    closes.push(() => second.stop());
    const fleet = await enterFleet(lab, perSecond);
    const apis = [lab.stack.apiUrl, second.url];
    const clients = await openClients(apis, lab.token, clientCount, options.signal);
    closes.push(() => clients.close());
    options.say(`${perSecond} reports a second, ${clientCount} clients`);
    const results: Measured[][] = [[], []];
    for (let round = 0; round <= options.rounds; round += 1) {
      const live = await measureLive(lab, second.process, fleet, clients, options.signal);
      const updates = await measureUpdates(lab, fleet, options.signal);
      const facts = Object.entries(live.facts ?? {}).map(([name, value]) => `${name} ${value.toFixed(3)}`);
      options.say(`  ${round === 0 ? 'warm-up' : `round ${round}/${options.rounds}`}  ${facts.join(', ')}`);
      if (round > 0) [live, updates].forEach((run, index) => results[index]!.push(run));
    }
    const names = [LIVE, UPDATES];
    const one = {
      ...{
        name: 'live',
        title: `${perSecond} reports a second, ${clientCount} clients`,
        rounds: options.rounds,
        notes: [],
      },
      rows: names.map((name, index) => rowOf(name, results[index]!, results[0]!)),
      goals: GOALS.map((goal) => judge(goal, names, results)),
    };
    const report = { machine: await describeMachine(lab.folder), programs: {}, cases: [one] };
    return { report, markdown: markdownOf(report) };
  } finally {
    for (const close of closes.reverse()) await close();
    await lab.close();
  }
}

/** Another API process on the same database and Redis. */
async function secondApi(lab: QueueLab): Promise<{ process: NodeProcess; url: string; stop(): Promise<void> }> {
  const port = await freePort();
  const env = {
    ...{ PATH: process.env['PATH'], HAULIER_HOME: join(lab.folder, 'second'), HAULIER_REDIS_PREFIX: lab.prefix },
    ...{
      DATABASE_URL: lab.postgres.url,
      REDIS_URL: lab.redis.url,
      HAULIER_BIND: '127.0.0.1',
      HAULIER_PORT: String(port),
    },
    ...{ HAULIER_ADMIN_TOKEN: lab.token, HAULIER_LOG_LEVEL: 'warn' },
  };
  const script = join(DIST, 'apps', 'api', 'main.js');
  const child = await startNodeProcess({ name: 'api-2', script, env, logPath: join(lab.folder, 'api-2.log') });
  const url = `http://127.0.0.1:${port}`;
  while (
    !(await fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    ))
  )
    await pause(100);
  return { process: child, url, stop: () => child.stop() };
}

interface Fleet {
  /** Ids of the downloads of each host. */
  readonly byHost: readonly { readonly host: string; readonly ids: readonly string[] }[];
  /** Grows with every second: no position goes back. */
  position: number;
}

async function enterFleet({ client, database }: QueueLab, downloads: number): Promise<Fleet> {
  const size = { hosts: downloads / FILES, files: FILES };
  const hosts = hostsOf(size.hosts, 'live');
  const manifest = manifestOf(size);
  await enterHosts(database, hosts);
  await client.publishVersion(manifest);
  await client.createDownloads({ model: manifest.name, version: manifest.version, hosts });
  const sql = 'SELECT host, array_agg(id::text) AS ids FROM downloads GROUP BY host ORDER BY host';
  return { byHost: (await database.pool.query<Fleet['byHost'][number]>(sql)).rows, position: 0 };
}

/** Every host reports once a second, spread over the second, as its worker does. */
async function measureLive(
  lab: QueueLab,
  second: NodeProcess,
  fleet: Fleet,
  clients: Clients,
  signal: AbortSignal,
): Promise<Measured> {
  const redis = connectPatiently({ url: lab.redis.url, prefix: lab.prefix }, 'bench', silentLogger);
  const publishers = fleet.byHost.map(
    ({ host }) => new EventPublisher({ redis, prefix: lab.prefix, host, bootId: randomUUID(), logger: silentLogger }),
  );
  const report = async (): Promise<void> => {
    fleet.position += 1;
    for (const [index, { ids }] of fleet.byHost.entries()) {
      for (const id of ids) publishers[index]!.publish(positionOf(id, fleet.position));
      clients.reported(fleet.position, ids);
      if (index % Math.ceil(fleet.byHost.length / 20) === 0) await pause(SECOND_MS / 25, undefined, { signal });
    }
  };
  const gets = new AbortController();
  try {
    const quietCores = await quietPostgresCores(lab, second, signal);
    await report(); // every download is running now
    await pause(2 * SECOND_MS, undefined, { signal });
    clients.forget();
    const before = costOf(lab, second);
    const startedAt = performance.now();
    const asking = askOften(lab, AbortSignal.any([gets.signal, signal]));
    while (performance.now() - startedAt < WINDOW_MS) {
      const nextAt = performance.now() + SECOND_MS;
      await report();
      await pause(Math.max(0, nextAt - performance.now()), undefined, { signal });
    }
    const wallMs = performance.now() - startedAt;
    const after = costOf(lab, second);
    gets.abort();
    const getP95Ms = percentile(await asking, 0.95);
    return {
      wallMs,
      cpuMs: after.api - before.api,
      peakBytes: Math.max(peakBytesOf(lab.stack.api.pid) ?? 0, peakBytesOf(second.pid) ?? 0),
      facts: {
        apiCores: (after.api - before.api) / wallMs,
        postgresCores: (after.postgres - before.postgres) / wallMs,
        reportCores: (after.postgres - before.postgres) / wallMs - quietCores,
        ...{ delayP95Ms: percentile(clients.delaysMs(), 0.95), getP95Ms },
      },
    };
  } finally {
    gets.abort();
    await Promise.all(publishers.map((publisher) => publisher.stop()));
    disconnect(redis);
  }
}

/** @returns what PostgreSQL needs for the same requests while nothing is reported */
async function quietPostgresCores(lab: QueueLab, second: NodeProcess, signal: AbortSignal): Promise<number> {
  const asked = new AbortController();
  const [before, startedAt] = [costOf(lab, second).postgres, performance.now()];
  const asking = askOften(lab, AbortSignal.any([asked.signal, signal]));
  try {
    await pause(QUIET_MS, undefined, { signal });
    return (costOf(lab, second).postgres - before) / (performance.now() - startedAt);
  } finally {
    asked.abort();
    await asking;
  }
}

const positionOf = (downloadId: string, position: number): WorkerEvent => ({
  ...{ type: 'download.progress', downloadId, generation: 1, at: Date.now(), committedBytes: position },
  ...{ totalBytes: 1_000_000_000, bytesPerSecond: 1000, source: 'https://gateway.example', retries: 0 },
});

const costOf = ({ stack, postgres }: QueueLab, second: NodeProcess) => ({
  api: cpuMsOf(stack.api.pid) + cpuMsOf(second.pid),
  postgres: treeCpuMsOf(postgres.pid!),
});

/** @returns how long each took; milliseconds */
async function askOften({ stack, token }: QueueLab, signal: AbortSignal): Promise<number[]> {
  const took: number[] = [];
  while (!signal.aborted) {
    const startedAt = performance.now();
    const headers = { authorization: `Bearer ${token}` };
    await fetch(`${stack.apiUrl}/api/downloads?limit=50`, { headers }).then((answer) => answer.arrayBuffer());
    took.push(performance.now() - startedAt);
    await pause(GET_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  return took;
}

/** The same reports, each written by itself. */
async function measureUpdates({ database, postgres }: QueueLab, fleet: Fleet, signal: AbortSignal): Promise<Measured> {
  const ids = fleet.byHost.flatMap((host) => host.ids);
  const before = treeCpuMsOf(postgres.pid!);
  const startedAt = performance.now();
  let seconds = 0;
  while (performance.now() - startedAt < WINDOW_MS) {
    const nextAt = performance.now() + SECOND_MS;
    await updateEach(database, ids, (seconds += 1));
    await pause(Math.max(0, nextAt - performance.now()), undefined, { signal });
  }
  const wallMs = performance.now() - startedAt;
  const cpuMs = treeCpuMsOf(postgres.pid!) - before;
  // What it would have cost in the same time, had it kept up.
  const postgresCores = cpuMs / (seconds * SECOND_MS);
  return { wallMs, cpuMs, peakBytes: NaN, facts: { postgresCores } };
}

async function updateEach({ pool }: Database, ids: readonly string[], bytes: number): Promise<void> {
  const sql =
    'UPDATE downloads SET downloaded_bytes = $2, bytes_per_second = 1000, heartbeat_at = now(), updated_at = now() WHERE id = $1';
  const lanes = 8;
  const lane = async (first: number): Promise<void> => {
    for (let place = first; place < ids.length; place += lanes) await pool.query(sql, [ids[place], bytes]);
  };
  await Promise.all(Array.from({ length: lanes }, (_, first) => lane(first)));
}
