import { setTimeout as pause } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { NO_TRACING } from '#tracing/tracing';
import { silentLogger } from '#core/logger';
import { toJobFile } from '#contracts/file-spec';
import { Manifest } from '#contracts/manifest';
import { insertDownloads, type DownloadOrder } from '#database/downloads/insert-downloads';
import { unqueuedDownloads } from '#database/downloads/outbox-queries';
import type { Database } from '#database/sql/connect';
import { connectImpatiently, disconnect, type RedisClient } from '#queue/connection';
import { DownloadQueues } from '#queue/jobs/download-queue';
import { taggedPrefix } from '#queue/keys';
import { jobOptions } from '#queue/jobs/job-options';
import { relayAll, toJob } from '../../apps/api/background/relay.ts';
import { createChanges } from '../../apps/api/live/changes.ts';
import type { Measured } from '../measured.ts';
import { cpuMsOf, peakBytesOf } from '../process-facts.ts';
import type { Variant } from '../rounds.ts';
import { enterHosts, hostsOf, manifestOf, modelOf, type FleetSize } from './fleet-of.ts';
import type { QueueLab } from './queue-lab.ts';

export const COPY = 'COPY of the rows from a file';
export const ROWS = 'rows of a request';
export const RAW = 'BullMQ addBulk into one queue';
export const RELAY = 'relay into the queues of the hosts';
export const POST = 'POST until all jobs are in Redis';

/** BullMQ's own bulk call takes this many jobs at a time. */
const RAW_BATCH = 1000;
const POLL_MS = 20;
const LONGEST_MS = 600_000;

/** Of one measure without the API: its own database and its own prefix in Redis. */
interface Parts {
  readonly lab: QueueLab;
  readonly size: FleetSize;
  readonly database: Database;
  readonly redis: RedisClient;
  run: number;
}

/** The ways to queue the same downloads: single steps beside what they are compared with, and the whole over HTTP. */
export function queueingVariants(lab: QueueLab, size: FleetSize): { variants: Variant[]; close: () => void } {
  const settings = { url: lab.redis.url, prefix: '{parts}' };
  const redis = connectImpatiently(settings, 'bench', silentLogger);
  const parts: Parts = { lab, size, database: lab.parts, redis, run: 0 };
  const variants = [
    copyVariant(parts),
    rowsVariant(parts),
    rawVariant(parts),
    relayVariant(parts),
    postVariant(lab, size),
  ];
  return { variants, close: () => disconnect(redis) };
}

/** PostgreSQL reads the rows that a request wrote, from a file of its own, into a table with the same indexes. */
function copyVariant({ database, lab, size, ...parts }: Parts): Variant {
  const path = `'${lab.folder}/postgres/rows.copy'`;
  const run = async (sql: string): Promise<void> => void (await database.pool.query(sql));
  return {
    name: COPY,
    prepare: async () => {
      await clearRows(database);
      await insertDownloads(
        database,
        orderOf(size, hostsOf(size.hosts, nameOf(parts, 'copy'))),
        NOTHING_DONE,
        new Date(),
      );
      await run('DROP TABLE IF EXISTS copied');
      await run(`COPY downloads TO ${path}`);
      await clearRows(database);
      await run('CREATE TABLE copied (LIKE downloads INCLUDING ALL) WITH (fillfactor = 85)');
      await run('CHECKPOINT');
    },
    run: () => measured(() => run(`COPY copied FROM ${path}`)),
  };
}

/** What a request writes, without HTTP. */
function rowsVariant({ database, size, ...parts }: Parts): Variant {
  let order = orderOf(size, []);
  return {
    name: ROWS,
    prepare: async () => {
      await database.pool.query('DROP TABLE IF EXISTS copied');
      await clearRows(database);
      order = orderOf(size, hostsOf(size.hosts, nameOf(parts, 'rows')));
      await database.pool.query('CHECKPOINT');
    },
    run: () =>
      measured(async () => {
        const count = await insertDownloads(database, order, NOTHING_DONE, new Date());
        if (count !== size.hosts * size.files) throw new Error(`${count} rows were written`);
      }),
  };
}

/** The same jobs with the same options, all in one queue. */
function rawVariant(parts: Parts): Variant {
  const { database, redis, size } = parts;
  let jobs: Parameters<Queue['addBulk']>[0] = [];
  return {
    name: RAW,
    prepare: async () => {
      await writeRows(parts, 'raw');
      const rows = await unqueuedDownloads(database, size.hosts * size.files);
      jobs = rows.map(toJob).map((job) => ({ name: 'download-file', data: job, opts: jobOptions('one', job) }));
      await emptyRedis(redis);
    },
    run: async () => {
      const queue = new Queue('one', { connection: redis, prefix: '{parts}', skipVersionCheck: true });
      const cost = await measured(async () => {
        for (let from = 0; from < jobs.length; from += RAW_BATCH)
          await queue.addBulk(jobs.slice(from, from + RAW_BATCH));
      });
      if ((await queue.getWaitingCount()) !== jobs.length) throw new Error('not all jobs are in the queue');
      await queue.close();
      return cost;
    },
  };
}

function relayVariant(parts: Parts): Variant {
  const { lab, database, redis, size } = parts;
  const settings = { url: lab.redis.url, prefix: '{parts}' };
  return {
    name: RELAY,
    prepare: async () => {
      await writeRows(parts, 'relay');
      await emptyRedis(redis);
      await database.pool.query('CHECKPOINT');
    },
    run: async () => {
      const queues = new DownloadQueues({ redis: settings, logger: silentLogger });
      while (queues.redis.status !== 'ready') await pause(1);
      const deps = { database, queues, prefix: settings.prefix, changes: createChanges(), now: () => new Date() };
      const cost = await measured(async () => {
        const count = await relayAll({ ...deps, tracing: NO_TRACING, log: silentLogger });
        if (count !== size.hosts * size.files) throw new Error(`the relay found ${count} rows`);
      });
      await queues.stop();
      return cost;
    },
  };
}

/** Over HTTP, by a built API that does all its other work beside it. */
export function postVariant(lab: QueueLab, size: FleetSize, name = POST): Variant {
  const { client, database, stack } = lab;
  let hosts: string[] = [];
  let count = 0;
  return {
    name,
    prepare: async () => {
      await client.publishVersion(manifestOf(size));
      await clearRows(database);
      await emptyQueues(lab);
      hosts = hostsOf(size.hosts, `${(count += 1)}`);
      await enterHosts(database, hosts);
      await database.pool.query('CHECKPOINT');
    },
    run: async () => {
      const cpuBefore = cpuMsOf(stack.api.pid);
      const startedAt = performance.now();
      const { request } = await client.createDownloads({ model: modelOf(size), hosts });
      const answeredMs = performance.now() - startedAt;
      if (request.created !== size.hosts * size.files) throw new Error(`${request.created} downloads were created`);
      await untilQueued(database);
      const wallMs = performance.now() - startedAt;
      const peakBytes = peakBytesOf(stack.api.pid) ?? NaN;
      return { wallMs, cpuMs: cpuMsOf(stack.api.pid) - cpuBefore, peakBytes, facts: { answeredMs } };
    },
  };
}

async function untilQueued({ pool }: Database): Promise<void> {
  const sql = `SELECT 1 FROM downloads
    WHERE status IN ('pending', 'in_progress', 'resuming') AND enqueued_generation < generation LIMIT 1`;
  const deadline = performance.now() + LONGEST_MS;
  while ((await pool.query(sql)).rowCount !== 0) {
    if (performance.now() > deadline) throw new Error('the jobs are not in Redis after ten minutes');
    await pause(POLL_MS);
  }
}

const NOTHING_DONE = { finishedOn: [] };

/** What the API makes of the request. */
function orderOf(size: FleetSize, hosts: readonly string[]): DownloadOrder {
  const { name, version, type, files, sources } = Manifest.parse(manifestOf(size));
  return { hosts, files: files.map((file) => toJobFile(file, sources)), model: { name, type, version } };
}

async function writeRows(parts: Parts, what: string): Promise<void> {
  const { database, size } = parts;
  await database.pool.query('DROP TABLE IF EXISTS copied');
  await clearRows(database);
  await insertDownloads(database, orderOf(size, hostsOf(size.hosts, nameOf(parts, what))), NOTHING_DONE, new Date());
}

const nameOf = (parts: Pick<Parts, 'run'>, what: string): string => `${what}-${(parts.run += 1)}`;

/** Also what triggers count of the rows: a truncation does not fire them. */
const clearRows = async ({ pool }: Database): Promise<void> =>
  void (await pool.query('TRUNCATE downloads, file_specs, download_counts, download_failures'));

/** Jobs of earlier runs would slow down the next one. The epoch stays, so that no API takes it for a loss. */
async function emptyQueues({ redis: { url }, prefix }: QueueLab): Promise<void> {
  const redis = connectImpatiently({ url, prefix }, 'bench', silentLogger);
  try {
    while (redis.status !== 'ready') await pause(1);
    await emptyRedis(redis, `${taggedPrefix(prefix, '*')}:downloads*`);
  } finally {
    disconnect(redis);
  }
}

async function emptyRedis(redis: RedisClient, pattern = '{parts*'): Promise<void> {
  while (redis.status !== 'ready') await pause(1);
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', 5000);
    if (keys.length > 0) await redis.unlink(...keys);
    cursor = next;
  } while (cursor !== '0');
}

async function measured(work: () => Promise<void>): Promise<Measured> {
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  await work();
  const wallMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { wallMs, cpuMs: (user + system) / 1000, peakBytes: peakBytesOf('self') ?? NaN };
}
