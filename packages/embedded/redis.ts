import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, type Program } from './find-program.ts';
import { type RunningServer, type ServerOptions, startOnPort } from './running-server.ts';
import { takeServerLock } from './server-lock.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';
import { waitUntilReady } from './wait-ready.ts';

export interface RedisOptions extends ServerOptions {
  /** Letters, digits, `-` and `_`; default: no password. */
  readonly password?: string | undefined;
}

/**
 * Starts a real Redis (or Valkey) for this machine alone: every write in the append-only file, no eviction, reachable
 * from 127.0.0.1 only.
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
    const { port, server } = await startOnPort(options.port, (free) => startProcess(program, free, options));
    await lock.record(server.pid);
    options.logger.info({ port, pid: server.pid }, 'redis started');
    const user = options.password === undefined ? '' : `:${options.password}@`;
    const stop = async (): Promise<void> => {
      await server.stop();
      await lock.release();
    };
    return { url: `redis://${user}127.0.0.1:${port}`, port, pid: server.pid, exited: server.exited, stop };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function findRedis(options: RedisOptions): Promise<Program> {
  const { cacheDir, onProgress } = options;
  return findProgram('redis-server', { aliases: ['valkey-server'], packages: ['redis-server'], cacheDir, onProgress });
}

async function startProcess(program: Program, port: number, options: RedisOptions): Promise<ServerProcess> {
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

function configuration(port: number, options: RedisOptions): string {
  const lines = [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir "${join(options.dataDir, 'data').replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`,
    'appendonly yes',
    'save ""',
    'maxmemory-policy noeviction',
    'daemonize no',
    ...(options.password === undefined ? [] : [`requirepass ${options.password}`]),
  ];
  return `${lines.join('\n')}\n`;
}

/** A server that still loads its file answers `-LOADING`, so only `+PONG` means ready; the process id tells ours from another. */
function pingOf(pid: number, password: string | undefined): { greeting: Buffer; isReady: (answer: Buffer) => boolean } {
  const login = password === undefined ? '' : `AUTH ${password}\r\n`;
  return {
    greeting: Buffer.from(`${login}PING\r\nINFO server\r\n`),
    isReady: (answer) => answer.includes('+PONG') && answer.includes(`process_id:${pid}\r\n`),
  };
}
