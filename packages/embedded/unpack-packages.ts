import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import { processStart } from '#os/process-start';
import { runCommand } from './command.ts';

export interface UnpackOptions {
  /** More settings of apt as `Name=value`, such as `Dir::Etc::sourcelist=/etc/apt/other.list`; default: those of the machine. */
  readonly aptSettings?: readonly string[] | undefined;
}

/**
 * Unpacks packages of a Debian-like distribution into a folder of ours, with all they need that the machine lacks, and with
 * the packages of the same source that they need even where those are installed: Debian's `redis-server` is a link into
 * `redis-tools`. Needs no root: lists and caches are private, nothing is installed, no maintainer script runs. apt checks the
 * signatures. The folder appears complete or not at all.
 *
 * @throws Error when there is no apt or a step fails
 */
export async function unpackPackages(
  packages: readonly string[],
  folder: string,
  { aptSettings = [] }: UnpackOptions = {},
): Promise<void> {
  if (!(await hasApt())) throw new Error('there is no apt here');
  await mkdir(dirname(folder), { recursive: true });
  await removeAbandoned(folder);
  const work = `${folder}.partial-${process.pid}`;
  try {
    await unpackInto(join(work, 'root'), work, packages, aptSettings);
    await moveInto(join(work, 'root'), folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

export function hasApt(): Promise<boolean> {
  const look = runCommand('/bin/sh', ['-c', 'command -v apt-get && command -v dpkg-deb']);
  return look.then(
    () => true,
    () => false,
  );
}

async function unpackInto(
  root: string,
  work: string,
  packages: readonly string[],
  aptSettings: readonly string[],
): Promise<void> {
  const [lists, cache, debs] = [join(work, 'lists'), join(work, 'cache'), join(work, 'debs')];
  for (const path of [join(lists, 'partial'), join(cache, 'archives/partial'), debs, root]) {
    await mkdir(path, { recursive: true });
  }
  const nothing = join(work, 'status');
  await writeFile(nothing, '');
  const settings = [...privateApt(lists, cache), ...optionsOf(aptSettings)];
  // Its answers are read, so they must not be translated.
  const run = (program: string, ...args: string[]): Promise<string> =>
    runCommand('env', ['LC_ALL=C', program, ...settings, ...args], { cwd: debs });
  // As if nothing were installed: what is may be of a version that no list has, and then apt finds no plan at all.
  const runBare = (program: string, ...args: string[]): Promise<string> =>
    run(program, '-o', `Dir::State::status=${nothing}`, ...args);
  await run('apt-get', 'update');
  const needed = newIn(await runBare('apt-get', '--simulate', '--no-install-recommends', 'install', ...packages));
  const installed = installedIn(await run('apt-cache', 'policy', ...needed));
  const siblings = siblingsOf(packages, await runBare('apt-cache', 'show', '--no-all-versions', ...needed));
  const wanted = needed.filter((name) => siblings.has(name) || !installed.has(name));
  await runBare('apt-get', 'download', ...wanted);
  for (const deb of await readdir(debs)) await runCommand('dpkg-deb', ['-x', join(debs, deb), root]);
}

function privateApt(lists: string, cache: string): string[] {
  const settings = [
    `Dir::State::lists=${lists}`,
    `Dir::Cache=${cache}`,
    'Debug::NoLocking=true',
    // Root would drop to a user who may not write into our folder.
    'APT::Sandbox::User=root',
    'Acquire::Languages=none',
    'Acquire::Retries=2',
  ];
  return ['-q', ...optionsOf(settings)];
}

const optionsOf = (settings: readonly string[]): string[] => settings.flatMap((setting) => ['-o', setting]);

/** @returns the packages of a plan of `apt-get --simulate`, which has a line "Inst name (version …)" for each */
function newIn(plan: string): string[] {
  return [...plan.matchAll(/^Inst (\S+) \(/gm)].map((match) => match[1] as string);
}

/**
 * What is installed stays as it is: another C library beside the running one breaks programs.
 *
 * @param policy the answer of `apt-cache policy`: "name:", then "  Installed: version", which is "(none)" where it is not
 */
export function installedIn(policy: string): ReadonlySet<string> {
  return new Set([...policy.matchAll(/^(\S+):\n {2}Installed: (?!\(none\))/gm)].map((match) => match[1] as string));
}

/**
 * @param shown the answer of `apt-cache show`; a package without `Source:` is built from the source of its own name
 * @returns the names among it that are built from the same source as one of the packages
 */
export function siblingsOf(packages: readonly string[], shown: string): ReadonlySet<string> {
  const sources = new Map<string, string>();
  for (const entry of shown.split(/\n\s*\n/)) {
    const name = /^Package: (\S+)/m.exec(entry)?.[1];
    if (name !== undefined) sources.set(name, /^Source: (\S+)/m.exec(entry)?.[1] ?? name);
  }
  const wanted = new Set(packages.map((name) => sources.get(name)));
  return new Set([...sources].filter(([, source]) => wanted.has(source)).map(([name]) => name));
}

/** Another process may have finished first: its folder is as good as ours. */
async function moveInto(root: string, folder: string): Promise<void> {
  try {
    await rename(root, folder);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error))) throw StorageError.from(error, folder);
  }
}

/** Half-unpacked folders of processes that are gone. */
async function removeAbandoned(folder: string): Promise<void> {
  const prefix = `${basename(folder)}.partial-`;
  for (const entry of await readdir(dirname(folder))) {
    if (!entry.startsWith(prefix)) continue;
    const pid = Number(entry.slice(prefix.length));
    if ((await processStart(pid)) === undefined)
      await rm(join(dirname(folder), entry), { recursive: true, force: true });
  }
}
