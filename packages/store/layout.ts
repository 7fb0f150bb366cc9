import { dirname, join, sep } from 'node:path';
import { StorageError } from '#core/failure';
import { ifPresent } from '#os/if-present';
import { syncFolders } from '#os/sync';
import { writeDurably } from '#os/write-file';
import type { FileCalls } from '#os/file-calls';

/** The layout that this program writes; docs/rules/store.md draws it. */
export const LAYOUT_VERSION = 1;

/** Every place of the store, as absolute paths. */
export interface StorePaths {
  readonly home: string;
  readonly version: string;
  readonly blobs: string;
  readonly facts: string;
  readonly aliases: string;
  readonly leaves: string;
  readonly partials: string;
  readonly quarantine: string;
  readonly locks: string;
  readonly models: string;
  readonly manifests: string;
}

/** @param home absolute path of HAULIER_HOME */
export function storePaths(home: string): StorePaths {
  return {
    home,
    version: join(home, 'VERSION'),
    blobs: join(home, 'blobs', 'sha256'),
    facts: join(home, 'facts'),
    aliases: join(home, 'aliases'),
    leaves: join(home, 'leaves'),
    partials: join(home, 'partials'),
    quarantine: join(home, 'quarantine'),
    locks: join(home, 'locks'),
    models: join(home, 'models'),
    manifests: join(home, 'models', '.manifests.json'),
  };
}

const SHA256 = /^[0-9a-f]{64}$/;

/** @throws RangeError when `sha256` is not 64 lower-case hexadecimal digits: it becomes part of a path */
export function blobPath(paths: StorePaths, sha256: string): string {
  return `${paths.blobs}${sep}${checkedHex(sha256).slice(0, 2)}${sep}${sha256}`;
}

export function factsPath(paths: StorePaths, sha256: string): string {
  return join(paths.facts, checkedHex(sha256).slice(0, 2), `${sha256}.json`);
}

export const isSha256 = (text: string): boolean => SHA256.test(text);

function checkedHex(sha256: string): string {
  if (!SHA256.test(sha256))
    throw new RangeError(`sha256 ${JSON.stringify(sha256)} is not 64 lower-case hexadecimal digits`);
  return sha256;
}

/** Folders that others may read, and folders that only we may enter. */
const SHARED_MODE = 0o755;
const PRIVATE_MODE = 0o700;

/**
 * Makes the folders and brings an older layout up to date.
 *
 * @throws StorageError `newer-layout` when a newer program wrote this folder; `denied`, `read-only` … when the disk refuses
 */
export async function prepareLayout(fs: FileCalls, paths: StorePaths): Promise<void> {
  try {
    const found = await readVersion(fs, paths);
    await makeFolders(fs, paths, found === 0);
    if (found === LAYOUT_VERSION) return;
    await migrateFromUnversioned(fs, paths);
    await writeDurably(fs, paths.version, `${LAYOUT_VERSION}\n`);
  } catch (error) {
    throw StorageError.from(error, paths.home);
  }
}

/**
 * @returns 0 when the folder is new, or older than the VERSION file
 * @throws StorageError `newer-layout`, or `io` for a VERSION file that is no number
 */
export async function readVersion(fs: FileCalls, paths: StorePaths): Promise<number> {
  const text = await ifPresent(fs.readFile(paths.version, 'utf8'));
  if (text === undefined || text.trim() === '') return 0;
  const version = Number(text.trim());
  if (!Number.isInteger(version) || version < 1)
    throw new StorageError(
      'io',
      paths.version,
      `${paths.version} says ${JSON.stringify(text.slice(0, 40))} where a layout number such as ${LAYOUT_VERSION} belongs; ` +
        'if this folder is a store of haulier, write the number of its layout there',
    );
  if (version > LAYOUT_VERSION)
    throw new StorageError(
      'newer-layout',
      paths.home,
      `the store in ${paths.home} has layout ${version}, this program knows layouts up to ${LAYOUT_VERSION}: ` +
        'use the newer haulier that wrote it, or give this one another HAULIER_HOME',
    );
  return version;
}

/** @param isNew also where the folders exist: their names may not be on the disk yet */
async function makeFolders(fs: FileCalls, paths: StorePaths, isNew: boolean): Promise<void> {
  const first = await fs.mkdir(paths.home, { recursive: true, mode: SHARED_MODE });
  const made: (string | undefined)[] = [];
  for (const folder of [paths.blobs, paths.models])
    made.push(await fs.mkdir(folder, { recursive: true, mode: SHARED_MODE }));
  for (const folder of [paths.facts, paths.aliases, paths.leaves, paths.partials, paths.quarantine, paths.locks])
    made.push(await fs.mkdir(folder, { recursive: true, mode: PRIVATE_MODE }));
  if (!isNew && made.every((folder) => folder === undefined)) return;
  await syncFolders(fs, dirname(paths.blobs), dirname(first ?? paths.home));
}

/** Layout 0 had the same folders without VERSION, and blobs that could be written: make them read-only. */
async function migrateFromUnversioned(fs: FileCalls, paths: StorePaths): Promise<void> {
  for (const folder of await fs.readdir(paths.blobs))
    for (const name of (await ifPresent(fs.readdir(join(paths.blobs, folder)))) ?? [])
      if (isSha256(name)) await fs.chmod(join(paths.blobs, folder, name), 0o444);
}
