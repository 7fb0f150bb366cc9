import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient, type ApiClient } from '#client/client';
import { silentLogger } from '#core/logger';
import { startPostgres } from '#embedded/postgres';
import { startRedis } from '#embedded/redis';
import { freePort } from '#os/port';
import type { NodeProcess } from '../../apps/cli/stack/node-process.ts';
import { startStack, type Stack, type StackWorker } from '../../apps/cli/stack/start-stack.ts';
import { forward } from './links/forward.ts';
import { openNamespaces } from './links/namespaces.ts';
import { bucketNetwork, type LinkedHost, type LinkedSite, type Network } from './links/network.ts';
import { startOrigin, type SwarmOrigin } from './swarm-origin.ts';
import { workerEnv } from './worker-env.ts';

const DIST = fileURLToPath(new URL('../..', import.meta.url));
const TOKEN = 'bench-token-that-stays-on-this-machine';
/** Of the host where the origin is, in a network. */
const ORIGIN = 'origin';
const ORIGIN_PORT = 7500;

export interface LabHost extends LinkedHost {
  /** How it answers other hosts, where that is not right. */
  readonly answers?: 'poison' | 'drip' | undefined;
}

export interface LabPlan {
  readonly hosts: readonly LabHost[];
  readonly sites?: readonly LinkedSite[] | undefined;
  readonly originBytesPerSecond: number;
  /** Hosts know each other by the API; else by the local network. */
  readonly isEnrolled: boolean;
  readonly hasNamespaces: boolean;
}

export interface LabOptions {
  /** Undefined: the system's temporary folder. */
  readonly dir: string | undefined;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** A fleet whose hosts have a link each. */
export interface SwarmLab {
  readonly folder: string;
  readonly client: ApiClient;
  readonly network: Network;
  /** Another one after `restartOrigin`. */
  readonly origin: SwarmOrigin;
  readonly processes: readonly NodeProcess[];
  processOf(host: string): NodeProcess;
  /** Starts the origin again, at its address and without files. */
  restartOrigin(): Promise<void>;
  close(): Promise<void>;
}

/** Starts PostgreSQL, Redis, an API, an origin and the workers. On failure nothing stays behind. */
export async function openSwarmLab(plan: LabPlan, options: LabOptions): Promise<SwarmLab> {
  const folder = await mkdtemp(join(options.dir ?? tmpdir(), 'haulier-bench-'));
  // As root the database runs as another user, which has to reach its folder.
  await chmod(folder, 0o711);
  const closes: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (let next = closes.pop(); next !== undefined; next = closes.pop()) await next();
  };
  try {
    return await startAll(plan, options, folder, closes, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function startAll(
  plan: LabPlan,
  options: LabOptions,
  folder: string,
  closes: (() => Promise<void>)[],
  close: () => Promise<void>,
): Promise<SwarmLab> {
  const linked = [{ name: ORIGIN, bytesPerSecond: plan.originBytesPerSecond }, ...plan.hosts];
  const network = plan.hasNamespaces ? await openNamespaces({ hosts: linked, sites: plan.sites }) : bucketNetwork();
  closes.push(() => network.close());
  const port = plan.hasNamespaces ? ORIGIN_PORT : await freePort();
  const bytesPerSecond = plan.hasNamespaces ? undefined : plan.originBytesPerSecond;
  const order = { folder, bind: network.addressOf(ORIGIN), port, bytesPerSecond };
  let origin = await startOrigin(order, network.launcherOf(ORIGIN));
  closes.push(() => origin.stop());
  const workers = plan.hosts.map((host) => workerOf(host, plan, { network, originUrl: origin.url, folder }));
  const stack = await startFleet(plan, options, { folder, network, workers }, closes);
  return {
    ...{ folder, network, close },
    client: createClient({ baseUrl: stack.apiUrl, token: TOKEN }),
    get origin() {
      return origin;
    },
    processes: [stack.api, ...stack.workers],
    processOf: (host) => stack.workers.find(({ name }) => name === host)!,
    restartOrigin: async () => void (origin = await startOrigin(order, network.launcherOf(ORIGIN))),
  };
}

interface FleetParts {
  readonly folder: string;
  readonly network: Network;
  readonly workers: readonly StackWorker[];
}

/** Servers listen on the loopback network; hosts of a network reach Redis by a port of the bridge. */
async function startFleet(
  { isEnrolled, hasNamespaces }: LabPlan,
  { say, signal }: LabOptions,
  { folder, network, workers }: FleetParts,
  closes: (() => Promise<void>)[],
): Promise<Stack> {
  const server = { cacheDir: join(DIST, '..', '.cache'), logger: silentLogger, onProgress: say };
  const postgres = await startPostgres({ ...server, dataDir: join(folder, 'postgres') });
  closes.push(() => postgres.stop());
  const redis = await startRedis({ ...server, dataDir: join(folder, 'redis') });
  closes.push(() => redis.stop());
  const reached = new URL(redis.url);
  if (hasNamespaces) {
    const forwarded = await forward(network.gateway, redis.port);
    closes.push(() => forwarded.close());
    [reached.hostname, reached.port] = [network.gateway, String(forwarded.port)];
  }
  const redisUrl = reached.href.replace(/\/$/, '');
  const stack = await startStack({
    ...{ home: join(folder, 'home'), distDir: DIST, databaseUrl: postgres.url, redisUrl: redis.url },
    ...{ bind: network.gateway, port: 0, enrol: isEnrolled, report: say, signal },
    workers: workers.map((worker) => ({ ...worker, env: { ...worker.env, REDIS_URL: redisUrl } })),
    env: {
      ...{ PATH: process.env['PATH'], HAULIER_ADMIN_TOKEN: TOKEN, HAULIER_REDIS_PREFIX: '{bench}' },
      HAULIER_RATE_LIMIT: '1000000',
      ...(hasNamespaces && { HAULIER_WORKER_REDIS_URL: `redis://${reached.host}` }),
    },
  });
  closes.push(() => stack.stop());
  return stack;
}

function workerOf(
  host: LabHost,
  { isEnrolled, hasNamespaces }: LabPlan,
  parts: { readonly network: Network; readonly originUrl: string; readonly folder: string },
): StackWorker {
  const launcher = parts.network.launcherOf(host.name);
  return { name: host.name, launcher, env: workerEnv(host, { ...parts, isEnrolled, hasNamespaces }) };
}
