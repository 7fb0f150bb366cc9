import { chmod, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient, type ApiClient } from '#client/client';
import { silentLogger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import { startPostgres } from '#embedded/postgres';
import { startRedis } from '#embedded/redis';
import type { RunningServer } from '#embedded/running-server';
import { freePort } from '#os/port';
import { startNodeProcess, type NodeProcess } from '../../../apps/cli/stack/node-process.ts';
import { LINE_BYTES, type InstantWorkerOrder } from './instant-worker-order.ts';

export interface ChaosLabOptions {
  readonly hosts: readonly string[];
  /** API processes on the same servers; integer >= 1. */
  readonly apis: number;
  /** Processes that the hosts are spread over; integer >= 1. */
  readonly workerProcesses: number;
  readonly longestJobMs: number;
  /** Folder of the compiled programs: `dist`. */
  readonly distDir: string;
  /** Where programs are unpacked that this machine does not have. */
  readonly cacheDir: string;
  readonly apiEnv: Readonly<Record<string, string>>;
  readonly say: (line: string) => void;
}

const TOKEN = 'chaos-token-that-stays-on-this-machine';
const PREFIX = '{chaos}';
const READY_MS = 120 * SECOND_MS;
const ANSWER_MS = 20 * SECOND_MS;

/** Real servers, API processes and instant workers, and the ways to break them. Each way ends when what it broke runs again. */
export class ChaosLab {
  readonly folder: string;
  readonly #options: ChaosLabOptions;
  #postgres: RunningServer | undefined;
  #redis: RunningServer | undefined;
  readonly #apis: { readonly port: number; process: NodeProcess }[] = [];
  readonly #workers: { readonly hosts: readonly string[]; process: NodeProcess }[] = [];
  /** Processes that end because they are to. */
  readonly #killed = new Set<NodeProcess>();
  #failure: Error | undefined;

  private constructor(folder: string, options: ChaosLabOptions) {
    this.folder = folder;
    this.#options = options;
  }

  static async open(options: ChaosLabOptions): Promise<ChaosLab> {
    const folder = await mkdtemp(join(tmpdir(), 'haulier-chaos-'));
    // As root the database runs as another user, which has to reach its folder.
    await chmod(folder, 0o711);
    const lab = new ChaosLab(folder, options);
    try {
      await lab.#start();
      return lab;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  get databaseUrl(): string {
    return this.#postgres!.url;
  }

  get redisUrl(): string {
    return this.#redis!.url;
  }

  get prefix(): string {
    return PREFIX;
  }

  get apiCount(): number {
    return this.#apis.length;
  }

  get workerCount(): number {
    return this.#workers.length;
  }

  client(api: number): ApiClient {
    return createClient({ baseUrl: this.#apiUrl(api), token: TOKEN, timeoutMs: ANSWER_MS });
  }

  /**
   * Asks for downloads as a pipeline that may repeat itself: what is recorded as complete counts as an answer.
   *
   * @returns false when no answer came, or one that says to try again
   * @throws Error when the API refuses the request
   */
  async ask(api: number, body: object): Promise<boolean> {
    const answer = await fetch(`${this.#apiUrl(api)}/api/downloads?trust=rows`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS),
    }).catch(() => undefined);
    if (answer === undefined || answer.status >= 500) return false;
    if (!answer.ok) throw new Error(`the request is refused: ${await answer.text()}`);
    return true;
  }

  async killApi(index: number): Promise<void> {
    const api = this.#apis[index]!;
    await this.#kill(api.process);
    api.process = await this.#startApi(api.port);
  }

  async killWorker(index: number): Promise<void> {
    const worker = this.#workers[index]!;
    await this.#kill(worker.process);
    worker.process = await this.#startWorker(worker.hosts);
  }

  /** @throws Error when a process ended that was not killed, with the end of its log */
  throwIfOneDied(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** SIGKILL, and everything it had on its disk is gone; a new one starts in its place. */
  async loseRedis(): Promise<void> {
    const { pid, port, exited, stop } = this.#redis!;
    process.kill(pid, 'SIGKILL');
    await exited;
    await stop();
    await rm(join(this.folder, 'redis', 'data'), { recursive: true });
    this.#redis = await this.#startRedis(port);
  }

  /** Immediate shutdown, as in a crash: the next start recovers from its log. */
  async stopPostgresAtOnce(): Promise<void> {
    const { pid, port, exited, stop } = this.#postgres!;
    process.kill(pid, 'SIGQUIT');
    await exited;
    await stop();
    this.#postgres = await this.#startPostgres(port);
  }

  async awaitReady(): Promise<void> {
    const deadline = performance.now() + READY_MS;
    for (const [index] of this.#apis.entries())
      while (!(await this.#isReady(index))) {
        if (performance.now() > deadline) throw new Error(`API ${index} is not ready: ${await this.logOfApi(index)}`);
        await pause(50);
      }
  }

  /** How many lines the workers wrote. */
  async count(what: 'started' | 'published'): Promise<number> {
    const sizes = await Promise.all(this.#options.hosts.map((host) => sizeOf(this.#linesPath(host, what))));
    return sizes.reduce((sum, size) => sum + Math.floor(size / LINE_BYTES), 0);
  }

  /** What one host has published, in order. */
  async published(host: string): Promise<string[]> {
    const path = this.#linesPath(host, 'published');
    if ((await sizeOf(path)) === 0) return [];
    return (await readFile(path, 'utf8')).trimEnd().split('\n');
  }

  logOfApi(index: number): Promise<string> {
    return this.#apis[index]!.process.logTail();
  }

  async close(): Promise<void> {
    for (const { process: child } of [...this.#workers, ...this.#apis]) this.#killed.add(child);
    await Promise.all(this.#workers.map(({ process: worker }) => worker.stop()));
    await Promise.all(this.#apis.map(({ process: api }) => api.stop()));
    await this.#redis?.stop();
    await this.#postgres?.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    const { say, apis, hosts, workerProcesses } = this.#options;
    say('starting PostgreSQL and Redis');
    for (const name of ['logs', 'hosts']) await mkdir(join(this.folder, name));
    this.#postgres = await this.#startPostgres();
    this.#redis = await this.#startRedis();
    say(`starting ${apis} API processes and ${workerProcesses} processes of workers for ${hosts.length} hosts`);
    for (let index = 0; index < apis; index += 1) {
      const port = await freePort();
      this.#apis.push({ port, process: await this.#startApi(port) });
    }
    await this.awaitReady();
    const share = Math.ceil(hosts.length / workerProcesses);
    for (let from = 0; from < hosts.length; from += share) {
      const some = hosts.slice(from, from + share);
      this.#workers.push({ hosts: some, process: await this.#startWorker(some) });
    }
  }

  async #kill(child: NodeProcess): Promise<void> {
    this.#killed.add(child);
    process.kill(child.pid, 'SIGKILL');
    await child.ended;
  }

  async #watched(starting: Promise<NodeProcess>): Promise<NodeProcess> {
    const child = await starting;
    void child.ended.then(async () => {
      if (this.#killed.delete(child)) return;
      this.#failure ??= new Error(`${child.name} ended by itself:\n${await child.logTail()}`);
    });
    return child;
  }

  #startPostgres(port?: number): Promise<RunningServer> {
    return startPostgres({ ...this.#server('postgres'), port });
  }

  #startRedis(port?: number): Promise<RunningServer> {
    return startRedis({ ...this.#server('redis'), port });
  }

  #server(name: string) {
    const { cacheDir, say } = this.#options;
    return { dataDir: join(this.folder, name), cacheDir, logger: silentLogger, onProgress: say };
  }

  #startApi(port: number): Promise<NodeProcess> {
    const starting = startNodeProcess({
      ...{ name: `api-${port}`, script: join(this.#options.distDir, 'apps', 'api', 'main.js') },
      logPath: join(this.folder, 'logs', `api-${port}.log`),
      env: {
        PATH: process.env['PATH'],
        HAULIER_HOME: this.folder,
        ...{ DATABASE_URL: this.databaseUrl, REDIS_URL: this.redisUrl, HAULIER_REDIS_PREFIX: PREFIX },
        ...{ HAULIER_BIND: '127.0.0.1', HAULIER_PORT: String(port), HAULIER_ADMIN_TOKEN: TOKEN },
        ...this.#options.apiEnv,
      },
    });
    return this.#watched(starting);
  }

  #startWorker(hosts: readonly string[]): Promise<NodeProcess> {
    const { distDir, longestJobMs: longestMs } = this.#options;
    const folder = join(this.folder, 'hosts');
    const order: InstantWorkerOrder = { redisUrl: this.redisUrl, prefix: PREFIX, hosts, folder, longestMs };
    const starting = startNodeProcess({
      name: `workers of ${hosts[0]}`,
      script: join(distDir, 'bench', 'soak', 'chaos', 'instant-worker.js'),
      args: [JSON.stringify(order)],
      env: { PATH: process.env['PATH'] },
      logPath: join(this.folder, 'logs', 'workers.log'),
    });
    return this.#watched(starting);
  }

  #apiUrl(index: number): string {
    return `http://127.0.0.1:${this.#apis[index]!.port}`;
  }

  async #isReady(index: number): Promise<boolean> {
    return fetch(`${this.#apiUrl(index)}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  #linesPath(host: string, what: string): string {
    return join(this.folder, 'hosts', `${host}.${what}`);
  }
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );
