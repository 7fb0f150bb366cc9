import { randomBytes } from 'node:crypto';
import { chown, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfPresent } from '#os/if-present';
import { processStart } from '#os/process-start';
import { runCommand } from './command.ts';
import type { PostgresPrograms } from './postgres-programs.ts';
import type { RunAs } from './postgres-user.ts';
import { SERVER_ENV } from './server-process.ts';

export const DATABASE = 'haulier';
export const SUPERUSER = 'postgres';

/** Where the parts of one PostgreSQL folder are. */
export interface ClusterPaths {
  readonly cluster: string;
  /** Becomes `cluster` when it is complete. */
  readonly draft: string;
  /** The superuser's password: random, readable by its owner only. */
  readonly password: string;
  readonly lock: string;
}

export function clusterPaths(dataDir: string): ClusterPaths {
  const at = (name: string): string => join(dataDir, name);
  return { cluster: at('cluster'), draft: at('cluster.draft'), password: at('password'), lock: at('lock.json') };
}

/**
 * @returns the major version that made the cluster; undefined when there is none yet
 * @throws StorageError when it cannot be read: what is there is never taken for nothing
 */
export async function clusterMajor(paths: ClusterPaths): Promise<number | undefined> {
  const version = await readIfPresent(join(paths.cluster, 'PG_VERSION'));
  return version === undefined ? undefined : Number.parseInt(version, 10);
}

/**
 * Makes the cluster and its database. Works on a draft that takes its name when complete: a crash half-way leaves only
 * a draft, which is made again.
 *
 * @param durable false: no flush to disk, for tests
 */
export async function createCluster(
  programs: PostgresPrograms,
  paths: ClusterPaths,
  runAs: RunAs,
  durable: boolean,
): Promise<void> {
  await rm(paths.draft, { recursive: true, force: true });
  await rm(paths.cluster, { recursive: true, force: true });
  await writePassword(paths.password, runAs);
  const run = (program: string, args: string[], input = ''): Promise<string> => {
    const [file, ...rest] = [...runAs.prefix, program, ...args] as [string, ...string[]];
    return runCommand(file, rest, { cwd: '/', env: SERVER_ENV, input, uid: runAs.uid, gid: runAs.gid });
  };
  await run(programs.initdb, [
    `--pgdata=${paths.draft}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${paths.password}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    ...(durable ? [] : ['--no-sync']),
  ]);
  await run(programs.postgres, ['--single', '-j', '-D', paths.draft, 'postgres'], `CREATE DATABASE ${DATABASE};\n\n`);
  await rename(paths.draft, paths.cluster);
}

async function writePassword(path: string, runAs: RunAs): Promise<void> {
  await rm(path, { force: true });
  await writeFile(path, randomBytes(24).toString('base64url'), { mode: 0o600 });
  if (runAs.uid !== undefined && runAs.gid !== undefined) await chown(path, runAs.uid, runAs.gid);
}

/** PostgreSQL's pid file: line 1 is the process, line 8 its state. */
export async function isServing(paths: ClusterPaths, pid: number): Promise<boolean> {
  const lines = ((await readIfPresent(join(paths.cluster, 'postmaster.pid'))) ?? '').split('\n');
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

/** The server that runs on a folder. */
export interface ServingPostgres {
  readonly url: string;
  readonly pid: number;
}

/**
 * Finds the server that another process started on this folder, by PostgreSQL's pid file.
 *
 * @returns undefined when none serves
 * @throws Error when its password cannot be read, as by another user
 */
export async function servingPostgres(dataDir: string): Promise<ServingPostgres | undefined> {
  const paths = clusterPaths(dataDir);
  const lines = ((await readIfPresent(join(paths.cluster, 'postmaster.pid'))) ?? '').split('\n');
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  if (!Number.isInteger(port) || port <= 0 || (await processStart(pid)) === undefined) return undefined;
  if (!(await isServing(paths, pid))) return undefined;
  return { pid, url: urlOfPort(port, await readFile(paths.password, 'utf8')) };
}

/** The address of a server of this machine. */
export const urlOfPort = (port: number, password: string): string =>
  `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${DATABASE}`;

/**
 * Removes the pid file that a killed server leaves when the process it names is not a PostgreSQL of this cluster:
 * numbers are used again, above all in containers, and PostgreSQL itself then refuses to start.
 */
export async function removeStalePidFile(paths: ClusterPaths): Promise<void> {
  const file = join(paths.cluster, 'postmaster.pid');
  const content = await readIfPresent(file);
  if (content === undefined) return;
  const pid = Number.parseInt(content, 10);
  if ((await processStart(pid)) !== undefined && (await commandLine(pid)).includes(paths.cluster)) return;
  await rm(file, { force: true });
}

/** @returns '' for a process that ended meanwhile, or is not ours to look at */
async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return runCommand('ps', ['-o', 'args=', '-p', String(pid)]).catch(() => '');
}
