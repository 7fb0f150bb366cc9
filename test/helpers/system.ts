import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient, type ApiClient } from '#client/client';
import type { DownloadDetail } from '#contracts/http/downloads';
import { startNodeProcess, type NodeProcess } from '../../apps/cli/stack/node-process.ts';
import { startStack } from '../../apps/cli/stack/start-stack.ts';
import { createTestDatabase } from './database.ts';
import type { Origin } from './origin/origin.ts';
import { testRedisUrl } from './services.ts';
import { until } from './until.ts';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));

export interface SystemOptions {
  /** Host names of the workers; '' is a worker of the pool. Default: one worker of the host `host-a`. */
  readonly hosts?: readonly string[];
  readonly origin?: Origin;
  readonly databaseUrl?: string;
  readonly redisUrl?: string;
  /** The workers of named hosts enrol. */
  readonly enrol?: boolean;
  /** Start of the keys in Redis; default: one of its own. */
  readonly prefix?: string;
  /** For the workers. */
  readonly env?: Record<string, string>;
  /** Further ones for the worker of one host. */
  readonly envOf?: (host: string) => Record<string, string>;
  /** Words in front of the command of a worker, such as those that put it on a host of a network. */
  readonly launcherOf?: (host: string) => readonly string[];
  /** Port of the API; default: a free one. */
  readonly port?: number;
  /** For the API. */
  readonly apiEnv?: Record<string, string>;
}

/** The built product on real services: one API and its workers, each with a store of its own. */
export interface System {
  readonly client: ApiClient;
  readonly apiUrl: string;
  readonly token: string;
  readonly api: NodeProcess;
  readonly workers: NodeProcess[];
  /** What the processes work on. */
  readonly services: { readonly databaseUrl: string; readonly redisUrl: string; readonly prefix: string };
  homeOf(host: string): string;
  /** What a process said so far: `api`, or `worker-<host>`. */
  logOf(name: string): Promise<string>;
  /** Starts the worker of a host (again, or beside the first), with the settings it had. */
  startWorker(host: string, env?: Record<string, string>): Promise<NodeProcess>;
  /** Starts the API again on its port, or one more on another; it need not be ready. */
  startApi(port?: number): Promise<NodeProcess>;
  /** Waits until an API has all it needs. */
  awaitReady(apiUrl?: string): Promise<void>;
  /** SIGKILL, and waits until it is gone. */
  kill(child: NodeProcess): Promise<void>;
  /** Waits until so many hosts have a worker that reported. */
  awaitHosts(count: number): Promise<void>;
  /** Waits until the download satisfies the condition. */
  awaitDownload(
    id: string,
    condition: (download: DownloadDetail) => boolean,
    timeoutMs?: number,
  ): Promise<DownloadDetail>;
  stop(): Promise<void>;
}

export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const home = await mkdtemp(join(tmpdir(), 'haulier-system-'));
  const testDatabase = options.databaseUrl === undefined ? await createTestDatabase(1) : undefined;
  const redisUrl = options.redisUrl ?? testRedisUrl();
  const prefix = options.prefix ?? `{t${randomBytes(6).toString('hex')}}`;
  const token = `test-${randomBytes(18).toString('hex')}`;
  const hosts = options.hosts ?? ['host-a'];
  const homeOf = (host: string): string => join(home, host || 'pool');
  const workerEnv = (host: string): NodeJS.ProcessEnv => ({
    ...(options.origin ? originEnv(options.origin) : {}),
    HAULIER_HOME: homeOf(host),
    HAULIER_HOST: host,
    ...options.env,
    ...options.envOf?.(host),
  });
  const env = { PATH: process.env['PATH'], HOME: home, HAULIER_REDIS_PREFIX: prefix, HAULIER_ADMIN_TOKEN: token };
  const databaseUrl = options.databaseUrl ?? testDatabase!.url;
  const { launcherOf = () => [] } = options;
  const stack = await startStack({
    home,
    distDir: DIST,
    databaseUrl,
    redisUrl,
    bind: '127.0.0.1',
    port: options.port ?? 0,
    workers: hosts.map((host) => ({
      ...{ name: `worker-${host || 'pool'}`, env: workerEnv(host), launcher: launcherOf(host) },
    })),
    enrol: options.enrol ?? false,
    env: { ...env, ...options.apiEnv },
    report: () => undefined,
  });
  const client = takingUnknownHosts(createClient({ baseUrl: stack.apiUrl, token }));
  const started: NodeProcess[] = [];
  const logPath = (name: string): string => join(home, 'logs', `${name}.log`);
  const start = async (
    name: string,
    app: string,
    more: NodeJS.ProcessEnv,
    launcher: readonly string[] = [],
  ): Promise<NodeProcess> => {
    const script = join(DIST, 'apps', app, 'main.js');
    const all = { ...env, REDIS_URL: redisUrl, ...more };
    const child = await startNodeProcess({ name, script, launcher, env: all, logPath: logPath(name) });
    started.push(child);
    return child;
  };
  return {
    client,
    apiUrl: stack.apiUrl,
    token,
    api: stack.api,
    workers: [...stack.workers],
    homeOf,
    services: { databaseUrl, redisUrl, prefix },
    logOf: (name) => readFile(logPath(name), 'utf8'),
    startWorker: (host, more) =>
      start(`worker-${host || 'pool'}`, 'worker', { ...workerEnv(host), ...more }, launcherOf(host)),
    startApi: (port = Number(new URL(stack.apiUrl).port)) =>
      start('api', 'api', {
        HAULIER_HOME: home,
        DATABASE_URL: databaseUrl,
        HAULIER_PORT: String(port),
        ...options.apiEnv,
      }),
    awaitReady: async (apiUrl = stack.apiUrl) => {
      await until(async () => (await fetch(`${apiUrl}/readyz`)).ok, { what: `${apiUrl} is ready` });
    },
    kill: async (child) => {
      process.kill(child.pid, 'SIGKILL');
      await child.ended;
    },
    awaitHosts: async (count) => {
      const reported = async () => (await client.listHosts()).filter(({ workerVersion }) => workerVersion);
      await until(async () => (await reported()).length === count, { what: `${count} hosts reported` });
    },
    awaitDownload: async (id, condition, timeoutMs = 180_000) => {
      let latest: DownloadDetail | undefined;
      const holds = async (): Promise<boolean> => condition((latest = await client.getDownload(id)));
      await until(holds, { timeoutMs, what: `download ${id} as wanted` }).catch((error: unknown) => {
        throw new Error(`${String(error)}; it is ${JSON.stringify(latest)}`);
      });
      return latest!;
    },
    stop: async () => {
      await Promise.all(started.map((child) => child.stop()));
      await stack.stop();
      await testDatabase?.drop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Its workers may be on their way to their first report, so downloads are taken for hosts without one, unless the test says otherwise. */
const takingUnknownHosts = (client: ApiClient): ApiClient => ({
  ...client,
  createDownloads: (body) => client.createDownloads({ allowUnknown: true, ...body }),
});

const originEnv = (origin: Origin): Record<string, string> => ({
  IPFS_GATEWAYS: origin.url,
  HF_ENDPOINT: origin.url,
  HAULIER_ALLOW_ADDRESSES: `127.0.0.1:${origin.port}`,
});
