import { access, constants, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import { runCommand } from './command.ts';
import { hasApt, unpackPackages, type UnpackOptions } from './unpack-packages.ts';

export interface Program {
  readonly path: string;
  /** What its environment needs besides the ordinary (where its libraries are). */
  readonly env: Readonly<Record<string, string>>;
}

export interface FindOptions extends UnpackOptions {
  /** The distribution's packages to unpack when the program is not installed, e.g. `['redis-server']`. */
  readonly packages: readonly string[];
  /** Where they are unpacked; may be shared by several processes. */
  readonly cacheDir: string;
  /** How to ask the program whether it works; default `['--version']`. */
  readonly versionArgs?: readonly string[];
  /** Other names of the same program, in order of preference, e.g. `['valkey-server']`. */
  readonly aliases?: readonly string[];
  /** Look at the machine first; default true. */
  readonly installed?: boolean;
  readonly onProgress?: ((step: string) => void) | undefined;
}

const PROGRAM_FOLDERS = ['usr/bin', 'usr/sbin', 'bin', 'sbin'];
const MORE_PATH = '/usr/local/sbin:/usr/sbin:/sbin:/opt/homebrew/bin';

/**
 * Finds a program: installed on the machine, else unpacked earlier, else unpacked now from the distribution's own
 * packages without root.
 *
 * @throws StorageError with one sentence that names the command to run when there is no way
 */
export async function findProgram(name: string, options: FindOptions): Promise<Program> {
  const names = [name, ...(options.aliases ?? [])];
  const installed = options.installed === false ? undefined : await firstInstalled(names);
  if (installed !== undefined) return { path: installed, env: {} };
  const folder = join(options.cacheDir, 'programs', options.packages.join('+'));
  const unpacked = await unpackedProgram(folder, name, options);
  if (unpacked) return unpacked;
  await rm(folder, { recursive: true, force: true });
  options.onProgress?.(`unpacking ${name} from the distribution's packages`);
  const reason = await unpackPackages(options.packages, folder, options).then(
    () => 'the unpacked program does not run',
    messageOf,
  );
  const fresh = await unpackedProgram(folder, name, options);
  if (fresh) return fresh;
  throw new StorageError('io', folder, await adviceFor(name, options.packages, reason));
}

/** @returns the path of an installed program (undefined where a shell finds none), looked up on PATH and in the system's usual folders. */
export async function installedProgram(name: string): Promise<string | undefined> {
  const script = `PATH="$PATH:${MORE_PATH}"; command -v "$1"`;
  const path = await runCommand('/bin/sh', ['-c', script, 'sh', name]).catch(() => '');
  return path.trim().startsWith('/') ? path.trim() : undefined;
}

async function firstInstalled(names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const path = await installedProgram(name);
    if (path !== undefined) return path;
  }
  return undefined;
}

/** @returns the program when it is there and runs; a damaged folder gives undefined and is unpacked again */
async function unpackedProgram(folder: string, name: string, options: FindOptions): Promise<Program | undefined> {
  const env = { LD_LIBRARY_PATH: (await libraryFolders(folder)).join(':') };
  for (const path of PROGRAM_FOLDERS.map((bin) => join(folder, bin, name))) {
    const runs = await access(path, constants.X_OK)
      .then(() => runCommand(path, options.versionArgs ?? ['--version'], { env }))
      .then(
        () => true,
        () => false,
      );
    if (runs) return { path, env };
  }
  return undefined;
}

/** None where nothing is unpacked yet. */
async function libraryFolders(folder: string): Promise<string[]> {
  const files = await readdir(folder, { recursive: true }).catch(() => []);
  const libraries = files.filter((file) => /^(usr\/)?lib(64)?\/.*\.so(\.|$)/.test(file));
  return [...new Set(libraries.map((file) => join(folder, dirname(file))))];
}

async function adviceFor(name: string, packages: readonly string[], reason: string): Promise<string> {
  const wanted = packages.join(' ');
  const commands: [string, string][] = [
    ['dnf', `sudo dnf install ${wanted.replace('redis-server', 'valkey')}`],
    ['apk', `sudo apk add ${wanted.replace('redis-server', 'redis')}`],
    ['brew', `brew install ${wanted.replace('redis-server', 'redis')}`],
  ];
  let command = `sudo apt-get install ${wanted}`;
  if (!(await hasApt())) {
    for (const [manager, install] of commands) if (await installedProgram(manager)) command = install;
  }
  return `${name} is not installed and could not be unpacked (${reason}): run \`${command}\` and start again`;
}
