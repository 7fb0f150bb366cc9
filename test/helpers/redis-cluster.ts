import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { silentLogger } from '#core/logger';
import { findProgram } from '#embedded/find-program';
import { startOnPort } from '#embedded/running-server';
import { startServerProcess, type ServerProcess } from '#embedded/server-process';
import { waitUntilReady } from '#embedded/wait-ready';
import { testCacheDir } from './services.ts';
import { until } from './until.ts';

/** One redis-server process of a cluster or of a group with Sentinels. */
export interface RedisServer {
  readonly port: number;
  readonly process: ServerProcess;
}

export const PASSWORD = 'secret-of-the-test';

/**
 * Starts a redis-server.
 *
 * @param lines of its configuration, beside port, folder and password
 * @param wanted its port, a free one where it is left out; words of its command line
 */
export async function startRedisServer(
  dataDir: string,
  lines: readonly string[],
  wanted: { readonly port?: number; readonly args?: readonly string[] } = {},
): Promise<RedisServer> {
  const { path, env } = await findProgram('redis-server', {
    aliases: ['valkey-server'],
    packages: ['redis-server'],
    cacheDir: testCacheDir(),
  });
  await mkdir(dataDir, { recursive: true });
  const { port, server } = await startOnPort(wanted.port, async (free) => {
    const file = join(dataDir, 'redis.conf');
    const fixed = ['bind 127.0.0.1', `dir ${dataDir}`, `port ${free}`, `requirepass ${PASSWORD}`];
    await writeFile(file, [...fixed, ...lines].join('\n'));
    const started = await startServerProcess(
      { name: 'redis', file: path, args: [file, ...(wanted.args ?? [])], env, stopSignal: 'SIGTERM' },
      silentLogger,
    );
    const greeting = Buffer.from(`AUTH ${PASSWORD}\r\nPING\r\nINFO server\r\n`);
    const isReady = (answer: Buffer): boolean =>
      answer.includes('+PONG') && answer.includes(`process_id:${started.pid}\r\n`);
    await waitUntilReady(started, { port: free, greeting, isReady });
    return started;
  });
  return { port, process: server };
}

/** SIGKILL, and waits until it is gone. */
export async function killServer({ process: server }: RedisServer): Promise<void> {
  process.kill(server.pid, 'SIGKILL');
  await server.exited;
}

const SLOTS = 16_384;
/** Of a server that holds keys. */
export const DATA_LINES = ['save ""', 'appendonly yes', 'maxmemory-policy noeviction', `masterauth ${PASSWORD}`];

const CLUSTER_LINES = [
  ...DATA_LINES,
  'cluster-enabled yes',
  'cluster-node-timeout 1000',
  'cluster-require-full-coverage no',
  'appendfsync always',
];

export interface RedisCluster {
  /** A `REDIS_URL`. */
  readonly url: string;
  /** The master that has the slot of this key now. */
  masterOf(key: string): Promise<number>;
  /** Kills a master; the others go on. */
  kill(index: number): Promise<void>;
  /** Starts a killed master with the data that it had. */
  bringBack(index: number): Promise<void>;
  /** A new, empty node takes the slots of a killed master. */
  replaceEmpty(index: number): Promise<void>;
  /** Runs a command on one master. */
  call(index: number, command: string, ...args: (string | number)[]): Promise<unknown>;
  stop(): Promise<void>;
}

/** Three masters without replicas: while one is away, the slots of it alone are not served. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'haulier-cluster-'));
  const dirs = ['a', 'b', 'c'].map((name) => join(folder, name));
  const servers: RedisServer[] = [];
  for (const dir of dirs) servers.push(await startRedisServer(dir, CLUSTER_LINES));
  const call = (index: number, command: string, ...args: (string | number)[]): Promise<unknown> =>
    withConnection(servers[index]!.port, (redis) => redis.call(command, ...args));
  const others = (index: number): number[] => [0, 1, 2].filter((one) => one !== index);
  const slotsOf = (index: number): number[] => {
    const [from, to] = [Math.ceil((index * SLOTS) / 3), Math.ceil(((index + 1) * SLOTS) / 3)];
    return Array.from({ length: to - from }, (_, n) => from + n);
  };
  const meet = async (index: number, other: number): Promise<void> => {
    await call(index, 'CLUSTER', 'MEET', '127.0.0.1', servers[other]!.port);
  };
  const untilAllServed = (): Promise<unknown> =>
    until(async () => (await Promise.all([0, 1, 2].map((index) => isWhole(call, index)))).every(Boolean), {
      what: 'all masters see all slots served',
    });
  for (const index of [0, 1, 2]) await call(index, 'CLUSTER', 'ADDSLOTS', ...slotsOf(index));
  for (const [index, epoch] of [1, 2, 3].entries()) await call(index, 'CLUSTER', 'SET-CONFIG-EPOCH', epoch);
  await meet(0, 1);
  await meet(0, 2);
  await untilAllServed();
  return {
    url: `redis+cluster://:${PASSWORD}@${servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    call,
    masterOf: async (key) => {
      const slot = Number(
        await call(
          others(-1).find((n) => isRunning(servers[n]!))!,
          'CLUSTER',
          'KEYSLOT',
          key,
        ),
      );
      return Math.floor((slot * 3) / SLOTS);
    },
    kill: (index) => killServer(servers[index]!),
    bringBack: async (index) => {
      servers[index] = await startRedisServer(dirs[index]!, CLUSTER_LINES, { port: servers[index]!.port });
      await untilAllServed();
    },
    replaceEmpty: async (index) => {
      const lost = servers[index]!.port;
      dirs[index] = `${dirs[index]}-new`;
      const lostId = await idOf(call, others(index)[0]!, lost);
      servers[index] = await startRedisServer(dirs[index], CLUSTER_LINES);
      for (const other of others(index)) await call(other, 'CLUSTER', 'FORGET', lostId);
      await call(index, 'CLUSTER', 'ADDSLOTS', ...slotsOf(index));
      await meet(index, others(index)[0]!);
      await untilAllServed();
    },
    stop: async () => {
      await Promise.all(servers.map(({ process: server }) => server.stop()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

type Call = RedisCluster['call'];

async function isWhole(call: Call, index: number): Promise<boolean> {
  const nodes = String(await call(index, 'CLUSTER', 'NODES'))
    .trim()
    .split('\n');
  const masters = nodes.filter((node) => /\bconnected \d/.test(node) && !/fail|handshake|noaddr/.test(node));
  const info = String(await call(index, 'CLUSTER', 'INFO'));
  return masters.length === 3 && info.includes('cluster_state:ok') && info.includes(`cluster_slots_ok:${SLOTS}`);
}

async function idOf(call: Call, index: number, port: number): Promise<string> {
  const nodes = String(await call(index, 'CLUSTER', 'NODES'))
    .trim()
    .split('\n');
  return nodes.find((node) => node.includes(`:${port}@`))!.split(' ')[0]!;
}

function isRunning({ process: server }: RedisServer): boolean {
  try {
    return process.kill(server.pid, 0);
  } catch {
    return false;
  }
}

/** A connection for one piece of work. */
export async function withConnection<Result>(port: number, work: (redis: Redis) => Promise<Result>): Promise<Result> {
  const redis = new Redis({ host: '127.0.0.1', port, password: PASSWORD, maxRetriesPerRequest: 1 });
  redis.on('error', () => undefined);
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}
