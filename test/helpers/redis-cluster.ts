import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, listenOnce } from '#os/port';
import {
  DATA_LINES,
  killServer,
  PASSWORD,
  startRedisServer,
  tlsLines,
  withConnection,
  type RedisServer,
} from './redis-server.ts';
import { until } from './until.ts';

const SLOTS = 16_384;

const CLUSTER_LINES = [
  ...DATA_LINES,
  'cluster-enabled yes',
  'cluster-node-timeout 1000',
  'cluster-require-full-coverage no',
  'appendfsync always',
];

/** Replicas copy their master at once, and take its place however long ago they heard of it. */
const REPLICA_LINES = ['repl-diskless-sync-delay 0', 'cluster-replica-validity-factor 0'];

/** The nodes speak to each other at a port that is so much higher. */
const BUS_PORT_STEP = 10_000;
const MASTERS = [0, 1, 2];

interface AnyCluster {
  /** A `REDIS_URL`. */
  readonly url: string;
  /** The master that has the slot of this key at the start. */
  masterOf(key: string): Promise<number>;
  /** Starts a killed node with the data that it had. */
  bringBack(index: number): Promise<void>;
  /** Runs a command on one node. */
  call(index: number, command: string, ...args: (string | number)[]): Promise<unknown>;
  stop(): Promise<void>;
}

export interface RedisCluster extends AnyCluster {
  /** Kills a master; the others go on. */
  kill(index: number): Promise<void>;
  /** A new, empty node takes the slots of a killed master. */
  replaceEmpty(index: number): Promise<void>;
}

/** Nodes 3, 4 and 5 are the replicas of 0, 1 and 2. */
export interface ReplicatedCluster extends AnyCluster {
  /** Authority of its certificates; undefined without TLS. */
  readonly caFile: string | undefined;
  readonly nodes: readonly number[];
  /** Kills a master and waits until its replica is the master. */
  failOver(index: number): Promise<void>;
}

/** Three masters without replicas: while one is away, the slots of it alone are not served. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const group = await startNodes(MASTERS.length, false);
  const { servers, dirs, call, untilAllServed, meet } = group;
  await untilAllServed();
  const others = (index: number): number[] => MASTERS.filter((one) => one !== index);
  return {
    ...clusterOf(group),
    kill: (index) => killServer(servers[index]!),
    replaceEmpty: async (index) => {
      const lost = servers[index]!.port;
      dirs[index] = `${dirs[index]}-new`;
      const lostId = await idOf(call, others(index)[0]!, lost);
      servers[index] = await group.start(index);
      for (const other of others(index)) await call(other, 'CLUSTER', 'FORGET', lostId);
      await call(index, 'CLUSTER', 'ADDSLOTS', ...slotsOf(index));
      await meet(index, others(index)[0]!);
      await untilAllServed();
    },
  };
}

/**
 * Three masters, each with a replica.
 *
 * @param withTls clients and nodes speak over TLS, with a certificate for 127.0.0.1
 */
export async function startReplicatedCluster(withTls: boolean): Promise<ReplicatedCluster> {
  const group = await startNodes(2 * MASTERS.length, withTls);
  const { servers, call, untilAllServed } = group;
  await untilAllServed();
  for (const index of MASTERS) {
    const id = String(await call(index, 'CLUSTER', 'MYID'));
    const knowsMaster = () => call(index + 3, 'CLUSTER', 'REPLICATE', id).then((answer) => String(answer) === 'OK');
    await until(knowsMaster, { what: `node ${index + 3} becomes a replica` });
  }
  const isFollowing = async (index: number): Promise<boolean> =>
    String(await call(index, 'INFO', 'replication')).includes('master_link_status:up');
  for (const index of MASTERS)
    await until(() => isFollowing(index + 3), { what: `node ${index + 3} follows its master` });
  const seesReplicas = async (index: number): Promise<boolean> =>
    (await nodesSeenBy(call, index)).filter((node) => node.includes('slave')).length === MASTERS.length;
  for (const index of servers.keys())
    await until(() => seesReplicas(index), { what: `node ${index} sees all replicas` });
  const isMaster = async (index: number): Promise<boolean> =>
    /^role:master/m.test(String(await call(index, 'INFO', 'replication')));
  return {
    ...clusterOf(group),
    caFile: group.caFile,
    nodes: servers.map((_, index) => index),
    failOver: async (index) => {
      await killServer(servers[index]!);
      await until(() => isMaster(index + 3), { what: `node ${index + 3} takes the place of its master` });
    },
    bringBack: async (index) => {
      servers[index] = await group.start(index, servers[index]!.port);
      await until(() => isFollowing(index), { what: `node ${index} is a replica now` });
    },
  };
}

type Nodes = Awaited<ReturnType<typeof startNodes>>;

function clusterOf({ servers, call, untilAllServed, folder, urlOf, start }: Nodes): AnyCluster {
  return {
    url: urlOf(),
    call,
    masterOf: async (key) => {
      const alive = servers.findIndex(isRunning);
      return Math.floor((Number(await call(alive, 'CLUSTER', 'KEYSLOT', key)) * MASTERS.length) / SLOTS);
    },
    bringBack: async (index) => {
      servers[index] = await start(index, servers[index]!.port);
      await untilAllServed();
    },
    stop: async () => {
      await Promise.all(servers.map(({ process: server }) => server.stop()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Starts nodes that know each other; the first three have the slots. */
async function startNodes(count: number, withTls: boolean) {
  const folder = await mkdtemp(join(tmpdir(), 'haulier-cluster-'));
  const dirs = Array.from({ length: count }, (_, index) => join(folder, `node-${index}`));
  const tls = await Promise.all(dirs.map(() => (withTls ? tlsOf(folder) : undefined)));
  const servers: RedisServer[] = [];
  const start = async (index: number, port?: number): Promise<RedisServer> => {
    const lines = [...CLUSTER_LINES, ...REPLICA_LINES, ...(tls[index]?.lines ?? [])];
    return startRedisServer(dirs[index]!, lines, { port: port ?? (await clusterPort()) });
  };
  for (const index of dirs.keys()) servers.push(await start(index));
  const call = (index: number, command: string, ...args: (string | number)[]): Promise<unknown> =>
    withConnection(servers[index]!.port, (redis) => redis.call(command, ...args));
  /** Of clients, and one step below that of the other nodes. */
  const portOf = (index: number): number => tls[index]?.port ?? servers[index]!.port;
  const meet = (index: number, other: number): Promise<unknown> =>
    call(index, 'CLUSTER', 'MEET', '127.0.0.1', portOf(other));
  const untilAllServed = (): Promise<unknown> =>
    until(async () => (await Promise.all(servers.map((_, index) => isWhole(call, index, count)))).every(Boolean), {
      what: 'all nodes see all slots served',
    });
  for (const index of MASTERS) await call(index, 'CLUSTER', 'ADDSLOTS', ...slotsOf(index));
  for (const index of dirs.keys()) await call(index, 'CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
  for (const index of dirs.keys()) if (index > 0) await meet(0, index);
  const urlOf = (): string => {
    const hosts = MASTERS.map((index) => `127.0.0.1:${portOf(index)}`).join(',');
    return `${withTls ? 'rediss' : 'redis'}+cluster://:${PASSWORD}@${hosts}`;
  };
  return { folder, dirs, servers, start, call, portOf, meet, untilAllServed, urlOf, caFile: tls[0]?.caFile };
}

async function tlsOf(folder: string): Promise<{ port: number; lines: string[]; caFile: string }> {
  const port = await clusterPort();
  const { lines, caFile } = await tlsLines(folder, port);
  return { port, caFile, lines: [...lines, 'tls-cluster yes', 'tls-replication yes'] };
}

/** A free port that leaves room for the one of the nodes. */
async function clusterPort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    const isFree = () => listenOnce('127.0.0.1', port + BUS_PORT_STEP).catch(() => undefined);
    if (port + BUS_PORT_STEP <= 65_535 && (await isFree())) return port;
  }
}

function slotsOf(index: number): number[] {
  const from = Math.ceil((index * SLOTS) / MASTERS.length);
  const to = Math.ceil(((index + 1) * SLOTS) / MASTERS.length);
  return Array.from({ length: to - from }, (_, n) => from + n);
}

type Call = RedisCluster['call'];

/** One line for each node. */
async function nodesSeenBy(call: Call, index: number): Promise<string[]> {
  return String(await call(index, 'CLUSTER', 'NODES'))
    .trim()
    .split('\n');
}

/** Every node knows all others, and all slots are served. */
async function isWhole(call: Call, index: number, count: number): Promise<boolean> {
  const nodes = await nodesSeenBy(call, index);
  const sound = nodes.filter((node) => /\bconnected\b/.test(node) && !/fail|handshake|noaddr/.test(node));
  const info = String(await call(index, 'CLUSTER', 'INFO'));
  return sound.length === count && info.includes('cluster_state:ok') && info.includes(`cluster_slots_ok:${SLOTS}`);
}

async function idOf(call: Call, index: number, port: number): Promise<string> {
  const nodes = await nodesSeenBy(call, index);
  return nodes.find((node) => node.includes(`:${port}@`))!.split(' ')[0]!;
}

function isRunning({ process: server }: RedisServer): boolean {
  try {
    return process.kill(server.pid, 0);
  } catch {
    return false;
  }
}
