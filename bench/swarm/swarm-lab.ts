import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient, type ApiClient } from '#client/client';
import { silentLogger } from '#core/logger';
import { startPostgres } from '#embedded/postgres';
import { startRedis } from '#embedded/redis';
import { makeDemoFile, type DemoFile } from '../../apps/cli/demo/demo-file.ts';
import { startDemoOrigin, type DemoOrigin } from '../../apps/cli/demo/origin.ts';
import type { NodeProcess } from '../../apps/cli/stack/node-process.ts';
import { startStack } from '../../apps/cli/stack/start-stack.ts';

const DIST = fileURLToPath(new URL('../..', import.meta.url));
const TOKEN = 'bench-token-that-stays-on-this-machine';
const REPO = 'bench/swarm';

/** A fleet whose hosts have a link each. */
export interface SwarmLab {
  readonly folder: string;
  readonly client: ApiClient;
  readonly origin: DemoOrigin;
  readonly hosts: readonly string[];
  readonly processes: readonly NodeProcess[];
  /** Makes a file that no host has, and shows it at the origin. */
  file(sizeBytes: number): Promise<DemoFile>;
  close(): Promise<void>;
}

export interface SwarmLabOptions {
  /** Undefined: the system's temporary folder. */
  readonly dir: string | undefined;
  readonly hosts: number;
  /** Of each link, in each direction: of the origin and of every host. */
  readonly bytesPerSecond: number;
  /** Hosts know each other by the API; else by the local network. */
  readonly isEnrolled: boolean;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Starts PostgreSQL, Redis, an API, an origin and the workers. On failure nothing stays behind. */
export async function openSwarmLab(options: SwarmLabOptions): Promise<SwarmLab> {
  const folder = await mkdtemp(join(options.dir ?? tmpdir(), 'haulier-bench-'));
  // As root the database runs as another user, which has to reach its folder.
  await chmod(folder, 0o711);
  const closes: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (let next = closes.pop(); next !== undefined; next = closes.pop()) await next();
  };
  try {
    return { ...(await startAll(options, folder, closes)), folder, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startAll(
  { hosts: count, bytesPerSecond, isEnrolled, say, signal }: SwarmLabOptions,
  folder: string,
  closes: (() => Promise<void>)[],
): Promise<Omit<SwarmLab, 'folder' | 'close'>> {
  const server = { cacheDir: join(DIST, '..', '.cache'), logger: silentLogger, onProgress: say };
  const postgres = await startPostgres({ ...server, dataDir: join(folder, 'postgres') });
  closes.push(() => postgres.stop());
  const redis = await startRedis({ ...server, dataDir: join(folder, 'redis') });
  closes.push(() => redis.stop());
  const origin = await startDemoOrigin(REPO, bytesPerSecond);
  closes.push(() => origin.stop());
  const hosts = Array.from({ length: count }, (_, index) => `bench-${index + 1}`);
  const link = { HAULIER_LIMIT_RATE: String(bytesPerSecond), HAULIER_SERVE_RATE: String(bytesPerSecond) };
  const known = isEnrolled ? {} : { HAULIER_MDNS: '127.0.0.1', HAULIER_SITE_KEY: 'key-of-the-bench' };
  const workers = hosts.map((host) => ({
    name: host,
    env: {
      ...{ ...link, ...known, IPFS_GATEWAYS: origin.url, HF_ENDPOINT: origin.url, HAULIER_LOG_LEVEL: 'warn' },
      ...{ HAULIER_SERVE_PORT: '0', HAULIER_HOST: host, HAULIER_HOME: join(folder, 'hosts', host) },
    },
  }));
  const stack = await startStack({
    ...{ home: join(folder, 'home'), distDir: DIST, databaseUrl: postgres.url, redisUrl: redis.url },
    ...{ bind: '127.0.0.1', port: 0, workers, enrol: isEnrolled, report: say, signal },
    env: { PATH: process.env['PATH'], HAULIER_ADMIN_TOKEN: TOKEN, HAULIER_REDIS_PREFIX: '{bench}' },
  });
  closes.push(() => stack.stop());
  const client = createClient({ baseUrl: stack.apiUrl, token: TOKEN });
  let files = 0;
  const file = async (sizeBytes: number): Promise<DemoFile> => {
    files += 1;
    const made = await makeDemoFile(folder, 'model.bin', sizeBytes, `swarm-${isEnrolled}-${files}`);
    origin.publish(String(files).padStart(40, '0'), [made]);
    return made;
  };
  return { client, origin, hosts, processes: [stack.api, ...stack.workers], file };
}
