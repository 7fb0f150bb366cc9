import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient, type ApiClient } from '#client/client';
import { silentLogger } from '#core/logger';
import { connect, type Database } from '#database/sql/connect';
import { migrate } from '#database/sql/migrate';
import { startPostgres } from '#embedded/postgres';
import { startRedis } from '#embedded/redis';
import type { RunningServer } from '#embedded/running-server';
import { findProjectFiles } from '../../apps/api/project-files.ts';
import { startStack, type Stack } from '../../apps/cli/stack/start-stack.ts';

const DIST = fileURLToPath(new URL('../..', import.meta.url));
const TOKEN = 'bench-token-that-stays-on-this-machine';
const POOL_SIZE = 8;
/** Of the API; the measures of single parts have another one. */
const PREFIX = '{bench}';

/** A PostgreSQL, a Redis and an API of the bench's own, and a second database for measures without the API. */
export interface QueueLab {
  readonly folder: string;
  readonly postgres: RunningServer;
  readonly redis: RunningServer;
  readonly stack: Stack;
  readonly client: ApiClient;
  readonly token: string;
  readonly prefix: string;
  /** Of the API. */
  readonly database: Database;
  /** Migrated, and without an API. */
  readonly parts: Database;
  close(): Promise<void>;
}

export interface QueueLabOptions {
  /** Undefined: the system's temporary folder. */
  readonly dir: string | undefined;
  /** Where programs are unpacked that this machine does not have. */
  readonly cacheDir: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  /** Of the API. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** Starts everything as it runs in production: every commit reaches the disk. On failure nothing stays behind. */
export async function openQueueLab(options: QueueLabOptions): Promise<QueueLab> {
  const folder = await mkdtemp(join(options.dir ?? tmpdir(), 'haulier-bench-'));
  // As root the database runs as another user, which has to reach its folder.
  await chmod(folder, 0o711);
  const closes: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (let next = closes.pop(); next !== undefined; next = closes.pop()) await next();
  };
  try {
    return await startAll(options, folder, closes, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function startAll(
  { cacheDir, say, signal, env }: QueueLabOptions,
  folder: string,
  closes: (() => Promise<void>)[],
  close: () => Promise<void>,
): Promise<QueueLab> {
  say('starting PostgreSQL and Redis');
  const server = { cacheDir, logger: silentLogger, onProgress: say };
  const postgres = await startPostgres({ ...server, dataDir: join(folder, 'postgres') });
  closes.push(() => postgres.stop());
  const redis = await startRedis({ ...server, dataDir: join(folder, 'redis') });
  closes.push(() => redis.stop());
  const stack = await startStack({
    ...{ home: join(folder, 'home'), distDir: DIST, databaseUrl: postgres.url, redisUrl: redis.url },
    ...{ bind: '127.0.0.1', port: 0, workers: [], report: say, signal },
    env: { PATH: process.env['PATH'], HAULIER_ADMIN_TOKEN: TOKEN, HAULIER_REDIS_PREFIX: PREFIX, ...env },
  });
  closes.push(() => stack.stop());
  const open = (url: string): Database => {
    const database = connect({ url, poolSize: POOL_SIZE, logger: silentLogger });
    closes.push(() => database.close());
    return database;
  };
  const database = open(postgres.url);
  await database.pool.query('CREATE DATABASE parts');
  const parts = open(postgres.url.replace(/\/[^/]*$/, '/parts'));
  await migrate(parts, findProjectFiles(import.meta.url).migrations, silentLogger);
  const client = createClient({ baseUrl: stack.apiUrl, token: TOKEN });
  return { folder, postgres, redis, stack, client, token: TOKEN, prefix: PREFIX, database, parts, close };
}
