import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfPresent } from '#os/if-present';
import { findProgram, type Program } from './find-program.ts';
import { type RunningServer, type ServerOptions, startOnPort } from './running-server.ts';
import { takeServerLock } from './server-lock.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';
import { waitUntilReady } from './wait-ready.ts';

export interface RedisOptions extends ServerOptions {
  /** Letters, digits, `-` and `_`; default: a random one, kept beside the data in `password`, readable by its owner only. */
  readonly password?: string | undefined;
}

/**
 * Starts a real Redis (or Valkey) for this machine alone: every write in the append-only file, no eviction, reachable
 * from 127.0.0.1 only, and only with its password, because other users of the machine reach that address too.
 *
 * @throws StorageError `busy` when a live process uses the folder; with the command to run when there is no Redis
 * @throws Error with the server's own words when it does not start
 */
export async function startRedis(options: RedisOptions): Promise<RunningServer> {
  if (options.password !== undefined && !/^[\w-]+$/.test(options.password)) {
    throw new RangeError('password: only letters, digits, - and _ are allowed');
  }
  const program = await findRedis(options);
  await mkdir(join(options.dataDir, 'data'), { recursive: true, mode: 0o700 });
  const lock = await takeServerLock(
    join(options.dataDir, 'lock.json'),
    `the Redis folder ${options.dataDir}`,
    options.onProgress,
  );
  try {
    const password = options.password ?? (await ownPassword(join(options.dataDir, 'password')));
    const start = (free: number): Promise<ServerProcess> => startProcess(program, free, { ...options, password });
    const { port, server } = await startOnPort(options.port, start);
    await lock.record(server.pid);
    options.logger.info({ port, pid: server.pid }, 'redis started');
    const stop = async (): Promise<void> => {
      await server.stop();
      await lock.release();
    };
    return { url: `redis://:${password}@127.0.0.1:${port}`, port, pid: server.pid, exited: server.exited, stop };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** The caller holds the lock of the folder. */
async function ownPassword(path: string): Promise<string> {
  const kept = await readIfPresent(path);
  if (kept !== undefined) return kept;
  const password = randomBytes(24).toString('base64url');
  await writeFile(path, password, { mode: 0o600 });
  return password;
}

function findRedis(options: RedisOptions): Promise<Program> {
  const { cacheDir, onProgress } = options;
  return findProgram('redis-server', { aliases: ['valkey-server'], packages: ['redis-server'], cacheDir, onProgress });
}

type StartOptions = RedisOptions & { readonly password: string };

async function startProcess(program: Program, port: number, options: StartOptions): Promise<ServerProcess> {
  const file = join(options.dataDir, 'redis.conf');
  await writeFile(file, configuration(port, options), { mode: 0o600 });
  const server = await startServerProcess(
    { name: 'redis', file: program.path, args: [file], env: program.env, stopSignal: 'SIGTERM' },
    options.logger,
  );
  try {
    await waitUntilReady(server, { port, ...pingOf(server.pid, options.password) });
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function configuration(port: number, options: StartOptions): string {
  const lines = [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir "${join(options.dataDir, 'data').replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`,
    'appendonly yes',
    'save ""',
    'maxmemory-policy noeviction',
    'daemonize no',
    `requirepass ${options.password}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** A server that still loads its file answers `-LOADING`, so only `+PONG` means ready; the process id tells ours from another. */
function pingOf(pid: number, password: string): { greeting: Buffer; isReady: (answer: Buffer) => boolean } {
  return {
    greeting: Buffer.from(`AUTH ${password}\r\nPING\r\nINFO server\r\n`),
    isReady: (answer) => answer.includes('+PONG') && answer.includes(`process_id:${pid}\r\n`),
  };
}
