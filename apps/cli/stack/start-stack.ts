import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { startPostgres } from '#embedded/postgres';
import { startRedis } from '#embedded/redis';
import { silentLogger } from '#core/logger';
import { CliError, EXIT } from '../exit-code.ts';
import { startNodeProcess, type NodeProcess } from './node-process.ts';

export interface StackOptions {
  /** Root of all data, logs and unpacked programs. */
  readonly home: string;
  /** Folder of the compiled programs: `dist`. */
  readonly distDir: string;
  readonly databaseUrl: string | undefined;
  readonly redisUrl: string | undefined;
  readonly bind: string;
  /** 0 chooses a free port. */
  readonly port: number;
  readonly workers: readonly WorkerOptions[];
  /** Passed on to the processes; settings of this stack win. */
  readonly env: NodeJS.ProcessEnv;
  readonly report: (step: string) => void;
}

export interface WorkerOptions {
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
}

export interface Stack {
  readonly apiUrl: string;
  readonly api: NodeProcess;
  readonly workers: readonly NodeProcess[];
  /** Settles with the first process that ends by itself. */
  readonly failed: Promise<NodeProcess>;
  /** Starts one more worker on the same servers; stopped with the rest. */
  startWorker(worker: WorkerOptions): Promise<NodeProcess>;
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 50;

/**
 * Starts what a machine needs for the whole product: PostgreSQL and Redis where no URL is given, the API (which migrates),
 * and the workers. On failure everything that was started is stopped again.
 *
 * @throws CliError with one sentence that says which step failed
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (let next = stops.pop(); next !== undefined; next = stops.pop()) await next();
  };
  try {
    return await startInOrder(options, stops, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startInOrder(
  options: StackOptions,
  stops: (() => Promise<void>)[],
  stop: () => Promise<void>,
): Promise<Stack> {
  await mkdir(join(options.home, 'logs'), { recursive: true, mode: 0o700 });
  const { databaseUrl, redisUrl } = await startServers(options, stops);
  const port = options.port === 0 ? await freePort(options.bind) : options.port;
  const env = {
    ...options.env,
    HAULIER_HOME: options.home,
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    HAULIER_BIND: options.bind,
    HAULIER_PORT: String(port),
  };
  const apiUrl = `http://${options.bind.includes(':') ? `[${options.bind}]` : options.bind}:${port}`;

  options.report('starting the API');
  const api = await startProcess(options, 'api', 'apps/api/main.js', env, stops);
  await waitUntilReady(api, `${apiUrl}/readyz`);

  options.report(options.workers.length === 1 ? 'starting the worker' : `starting ${options.workers.length} workers`);
  // A worker holds no database credential and no token (decision 0002).
  const workerEnv = { ...env, DATABASE_URL: undefined, HAULIER_ADMIN_TOKEN: undefined };
  const startWorker = (worker: WorkerOptions): Promise<NodeProcess> =>
    startProcess(options, worker.name, 'apps/worker/main.js', { ...workerEnv, ...worker.env }, stops);
  const workers = await Promise.all(options.workers.map(startWorker));
  const failed = Promise.race([api, ...workers].map((child) => child.ended.then(() => child)));
  return { apiUrl, api, workers, failed, startWorker, stop };
}

async function startServers(
  options: StackOptions,
  stops: (() => Promise<void>)[],
): Promise<{ databaseUrl: string; redisUrl: string }> {
  const cacheDir = join(options.home, 'programs');
  const shared = { cacheDir, logger: silentLogger, onProgress: options.report };
  const postgres = async (): Promise<string> => {
    if (options.databaseUrl !== undefined) return options.databaseUrl;
    options.report('starting PostgreSQL');
    const server = await startPostgres({ ...shared, dataDir: join(options.home, 'postgres') });
    stops.push(() => server.stop());
    return server.url;
  };
  const redis = async (): Promise<string> => {
    if (options.redisUrl !== undefined) return options.redisUrl;
    options.report('starting Redis');
    const server = await startRedis({ ...shared, dataDir: join(options.home, 'redis') });
    stops.push(() => server.stop());
    return server.url;
  };
  const [databaseUrl, redisUrl] = await settleAll([postgres(), redis()]);
  return { databaseUrl: databaseUrl!, redisUrl: redisUrl! };
}

/** Like Promise.all, but waits for the others before it throws, so that all of them can be stopped. */
async function settleAll<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

async function startProcess(
  options: StackOptions,
  name: string,
  script: string,
  env: NodeJS.ProcessEnv,
  stops: (() => Promise<void>)[],
): Promise<NodeProcess> {
  const child = await startNodeProcess({
    name,
    script: join(options.distDir, script),
    env,
    logPath: join(options.home, 'logs', `${name}.log`),
  });
  stops.push(() => child.stop());
  return child;
}

async function waitUntilReady(child: NodeProcess, url: string): Promise<void> {
  const ended = child.ended.then(() => 'ended' as const);
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (performance.now() < deadline) {
    const state = await Promise.race([ended, probe(url)]);
    if (state === 'ready') return;
    if (state === 'ended') break;
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
  throw new CliError(
    EXIT.failed,
    `the ${child.name} did not become ready at ${url}; its log ends with:\n${await child.logTail()}`,
  );
}

async function probe(url: string): Promise<'ready' | 'not-yet'> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.ok ? 'ready' : 'not-yet';
  } catch {
    return 'not-yet'; // nothing listens there so far; the deadline ends the wait
  }
}

async function freePort(bind: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, bind, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error(`no port at ${bind}`);
  return address.port;
}
