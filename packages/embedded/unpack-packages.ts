import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import { processStart } from '#os/process-start';
import { runCommand } from './command.ts';

/**
 * Unpacks packages of a Debian-like distribution, with all they need that the machine lacks, into a folder of ours.
 * Needs no root: lists and caches are private, nothing is installed, no maintainer script runs. apt checks the
 * signatures. The folder appears complete or not at all.
 *
 * @throws Error when there is no apt or a step fails
 */
export async function unpackPackages(packages: readonly string[], folder: string): Promise<void> {
  if (!(await hasApt())) throw new Error('there is no apt here');
  await mkdir(dirname(folder), { recursive: true });
  await removeAbandoned(folder);
  const work = `${folder}.partial-${process.pid}`;
  try {
    await unpackInto(join(work, 'root'), work, packages);
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

async function unpackInto(root: string, work: string, packages: readonly string[]): Promise<void> {
  const [lists, cache, debs] = [join(work, 'lists'), join(work, 'cache'), join(work, 'debs')];
  for (const path of [join(lists, 'partial'), join(cache, 'archives/partial'), debs, root]) {
    await mkdir(path, { recursive: true });
  }
  const apt = (...args: string[]): Promise<string> =>
    runCommand('apt-get', [...privateApt(lists, cache), ...args], { cwd: debs });
  await apt('update');
  const plan = await apt('--simulate', '--no-install-recommends', 'install', ...packages);
  await apt('download', ...new Set([...packages, ...missingIn(plan)]));
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
  return ['-q', ...settings.flatMap((setting) => ['-o', setting])];
}

/**
 * Lines of a plan: "Inst name (version …)" is new, "Inst name [old] (new …)" an upgrade. What is installed already
 * stays as it is: another C library beside the running one breaks programs.
 */
export function missingIn(plan: string): string[] {
  return [...plan.matchAll(/^Inst (\S+) \(/gm)].map((match) => match[1] as string);
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
