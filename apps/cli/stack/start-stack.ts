import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, messageOf } from '#core/error-facts';
import { CliError, EXIT } from '../exit-code.ts';
import { awaitReady } from './await-ready.ts';
import { startNodeProcess, type NodeProcess } from './node-process.ts';
import { enrolmentEnv } from './enrolment-env.ts';
import { choosePort } from './port.ts';
import { startServers, type EndedPart } from './start-servers.ts';

export interface StackOptions {
  /** Root of all data and logs. */
  readonly home: string;
  /** Programs of the distribution are unpacked in its folder `programs`; default: `home`. */
  readonly cacheDir?: string | undefined;
  /** Folder of the compiled programs: `dist`. */
  readonly distDir: string;
  readonly databaseUrl: string | undefined;
  readonly redisUrl: string | undefined;
  readonly bind: string;
  /** 0 chooses a free port. */
  readonly port: number;
  readonly workers: readonly StackWorker[];
  /** Workers of a named host get a key and a Redis user of their own. */
  readonly enrol: boolean;
  /** Passed on to the processes; settings of this stack override it. */
  readonly env: NodeJS.ProcessEnv;
  readonly report: (step: string) => void;
  /** When aborted, the start ends at the next step, and all started processes are stopped. */
  readonly signal?: AbortSignal | undefined;
}

export interface StackWorker {
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
  /** It stays in the process group of this process. */
  readonly sharesGroup?: boolean;
  /** Words in front of its command. */
  readonly launcher?: readonly string[] | undefined;
}

export interface Stack {
  readonly apiUrl: string;
  readonly api: NodeProcess;
  readonly workers: readonly NodeProcess[];
  /** Settles with the first process or server that ends. */
  readonly failed: Promise<EndedPart>;
  /** Starts one more worker on the same servers; stopped with the rest. */
  startWorker(worker: StackWorker): Promise<NodeProcess>;
  stop(): Promise<void>;
}

/**
 * Starts the whole product on one machine: PostgreSQL and Redis where no URL is given, the API (which migrates), and the workers. On
 * failure all started processes are stopped.
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
  const { signal } = options;
  await makeHome(options.home);
  const port = await choosePort(options.bind, options.port);
  const { databaseUrl, redisUrl, ends } = await startServers(options, stops);
  signal?.throwIfAborted();
  const env = {
    ...options.env,
    HAULIER_HOME: options.home,
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    HAULIER_BIND: options.bind,
    HAULIER_PORT: String(port),
  };
  const apiUrl = urlOf(options.bind, port);

  options.report('starting the API');
  const api = await startProcess(options, { name: 'api', env }, 'apps/api/main.js');
  stops.push(() => api.stop());
  await awaitReady(api, `${apiUrl}/readyz`, options);

  if (options.workers.length > 0)
    options.report(options.workers.length === 1 ? 'starting the worker' : `starting ${options.workers.length} workers`);
  // A worker holds no database credential and no token (decision 0002).
  const secrets = { DATABASE_URL: undefined, DATABASE_READ_URL: undefined, HAULIER_ADMIN_TOKEN: undefined };
  const workerEnv = { ...env, ...secrets };
  const started: NodeProcess[] = [];
  // All together: a worker takes up to two seconds for its last reports.
  stops.push(async () => void (await Promise.all(started.map((child) => child.stop()))));
  const startWorker = async (worker: StackWorker): Promise<NodeProcess> => {
    const given = { ...workerEnv, ...worker.env };
    const enrolment = options.enrol ? await enrolmentEnv(api, apiUrl, given, options.report) : {};
    const own = { ...worker, env: { ...given, ...enrolment } };
    const child = await startProcess(options, own, 'apps/worker/main.js');
    started.push(child);
    return child;
  };
  const workers = await Promise.all(options.workers.map(startWorker));
  const failed = Promise.race<EndedPart>([...ends, ...[api, ...workers].map((child) => child.ended.then(() => child))]);
  return { apiUrl, api, workers, failed, startWorker, stop };
}

/** @throws CliError when the folder is not writable */
export async function makeHome(home: string): Promise<void> {
  try {
    await makeFolder(join(home, 'logs'));
  } catch (cause) {
    const what = `HAULIER_HOME is ${home}, which is not writable (${messageOf(cause)})`;
    throw new CliError(EXIT.failed, `${what}: write a folder of your own`, { cause });
  }
}

/** Makes one folder at a time: `recursive` of Node loops for ever where no folder can be made, such as in /proc. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && (await stat(path)).isDirectory()) return;
    if (codeOf(error) !== 'ENOENT' || (await isFolder(dirname(path)))) throw error;
    await makeFolder(dirname(path));
    await mkdir(path, { mode: 0o700 });
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** Address of the API on this machine: the loopback address where the API listens on all addresses. */
function urlOf(bind: string, port: number): string {
  const address = { '0.0.0.0': '127.0.0.1', '::': '::1' }[bind] ?? bind;
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

const startProcess = (
  { distDir, home }: StackOptions,
  { name, env, sharesGroup, launcher }: StackWorker,
  script: string,
): Promise<NodeProcess> =>
  startNodeProcess({
    ...{ name, env, sharesGroup, launcher },
    script: join(distDir, script),
    logPath: join(home, 'logs', `${name}.log`),
  });
