import { mkdir, readFile } from 'node:fs/promises';
import {
  type ClusterPaths,
  DATABASE,
  SUPERUSER,
  clusterMajor,
  clusterPaths,
  createCluster,
  isServing,
  removeStalePidFile,
  urlOfPort,
} from './postgres-cluster.ts';
import { type PostgresPrograms, findPostgres } from './postgres-programs.ts';
import { type RunAs, unprivileged } from './postgres-user.ts';
import { type RunningServer, type ServerOptions, startOnPort } from './running-server.ts';
import { takeServerLock } from './server-lock.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';
import { waitUntilReady } from './wait-ready.ts';

export interface PostgresOptions extends ServerOptions {
  /** Which binaries to use; default: those of npm, then those of the machine. */
  readonly programs?: PostgresPrograms | undefined;
  /** false: never wait for the disk, for tests whose data may be lost; default true. */
  readonly durable?: boolean;
}

/**
 * Starts a real PostgreSQL for this machine alone, with a database `haulier` in it. A folder that a crash left behind
 * is recovered: a half-made cluster is made again, an orphaned server is stopped, a stale pid file is removed.
 *
 * @throws StorageError `busy` when a live process uses the folder; kind `io` when there is no PostgreSQL of the version
 *   that made the data
 * @throws Error with the server's own words when it does not start
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningServer> {
  const paths = clusterPaths(options.dataDir);
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 });
  const lock = await takeServerLock(paths.lock, `the PostgreSQL folder ${options.dataDir}`, options.onProgress);
  try {
    const { programs, runAs } = await prepare(paths, options);
    const { port, server } = await startOnPort(options.port, (free) => startProcess(programs, runAs, free, options));
    await lock.record(server.pid);
    options.logger.info({ port, pid: server.pid, version: programs.major }, 'postgres started');
    const stop = async (): Promise<void> => {
      await server.stop();
      await lock.release();
    };
    const url = urlOfPort(port, await readFile(paths.password, 'utf8'));
    return { url, port, pid: server.pid, exited: server.exited, stop };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function prepare(
  paths: ClusterPaths,
  options: PostgresOptions,
): Promise<{ programs: PostgresPrograms; runAs: RunAs }> {
  const major = await clusterMajor(paths);
  const programs = options.programs ?? (await findPostgres(major, options.logger));
  const runAs = await unprivileged(options.dataDir);
  if (major === undefined) {
    options.onProgress?.('creating the PostgreSQL database');
    await createCluster(programs, paths, runAs, options.durable ?? true);
  }
  await removeStalePidFile(paths);
  return { programs, runAs };
}

/** SIGINT is PostgreSQL's fast shutdown: open transactions end, data is flushed. */
async function startProcess(
  programs: PostgresPrograms,
  runAs: RunAs,
  port: number,
  options: PostgresOptions,
): Promise<ServerProcess> {
  const paths = clusterPaths(options.dataDir);
  const words = [...runAs.prefix, programs.postgres, '-D', paths.cluster, '-p', String(port), ...settings(options)];
  const [file, ...args] = words as [string, ...string[]];
  const server = await startServerProcess(
    { name: 'postgres', file, args, uid: runAs.uid, gid: runAs.gid, stopSignal: 'SIGINT' },
    options.logger,
  );
  try {
    await waitUntilReady(server, {
      port,
      greeting: startupMessage(),
      isReady: asksForPassword,
      isOurs: () => isServing(paths, server.pid),
    });
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function settings(options: PostgresOptions): string[] {
  const fast = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'];
  const always = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200', 'timezone=UTC'];
  return [...always, ...(options.durable === false ? fast : [])].flatMap((setting) => ['-c', setting]);
}

/** PostgreSQL documentation, "Message Formats": StartupMessage, protocol 3.0. */
function startupMessage(): Buffer {
  const body = Buffer.from(`user\0${SUPERUSER}\0database\0${DATABASE}\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(body.length + 8, 0);
  head.writeInt32BE(196_608, 4);
  return Buffer.concat([head, body]);
}

/** `R` asks for the password: it takes sessions. While it recovers it answers `E` (57P03). */
function asksForPassword(answer: Buffer): boolean {
  return answer[0] === 'R'.charCodeAt(0);
}
