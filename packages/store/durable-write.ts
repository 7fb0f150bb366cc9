import { randomUUID } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import { ifPresent, type StoreFs } from './store-fs.ts';

/** Filesystems that cannot sync a folder, or not without write access, say so with one of these. */
const NO_FOLDER_SYNC = new Set(['EINVAL', 'EISDIR', 'ENOTSUP', 'EPERM', 'EACCES']);

/**
 * Brings a file's bytes, mode and times to the disk. A read-only file is synced through a read-only handle.
 *
 * @param prepare a last change to the file, synced with it
 */
export async function syncFile(
  fs: StoreFs,
  path: string,
  prepare: (handle: FileHandle) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const handle = await fs.open(path, 'r+').catch((error: unknown) => {
    if (codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM') return fs.open(path, 'r');
    throw error;
  });
  try {
    await prepare(handle);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Brings a folder's names to the disk, where the filesystem has such a thing. */
export async function syncFolder(fs: StoreFs, path: string): Promise<void> {
  try {
    const handle = await fs.open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!NO_FOLDER_SYNC.has(codeOf(error))) throw error;
  }
}

/** Syncs a folder and those above it, up to and including `top`. */
export async function syncFolders(fs: StoreFs, folder: string, top: string): Promise<void> {
  for (let at = folder; ; at = dirname(at)) {
    await syncFolder(fs, at);
    if (at.length <= top.length || at === dirname(at)) return;
  }
}

/** Makes a folder, and those above it that are missing; none of their names is lost with the power once it resolves. */
export async function makeFolder(fs: StoreFs, path: string, mode: number): Promise<void> {
  const first = await fs.mkdir(path, { recursive: true, mode });
  if (first !== undefined) await syncFolders(fs, dirname(path), dirname(first));
}

/** A name beside `path` that is nobody else's; the sweep removes it when it is left behind. */
export const temporaryBeside = (path: string): string =>
  join(dirname(path), `.${basename(path).slice(0, 100)}.${randomUUID()}.tmp`);

export type WriteStep = 'written' | 'renamed' | 'synced';

/**
 * Replaces a file so that a reader and a crash see the old content or the new one: temporary, fsync, rename, fsync of the folder.
 *
 * @throws StorageError
 */
export async function writeDurably(
  fs: StoreFs,
  path: string,
  data: string | Uint8Array,
  after: (step: WriteStep) => void | Promise<void> = () => undefined,
): Promise<void> {
  const temporary = temporaryBeside(path);
  try {
    const handle = await fs.open(temporary, 'wx', 0o644);
    try {
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await after('written');
    await fs.rename(temporary, path);
    await after('renamed');
    await syncFolder(fs, dirname(path));
    await after('synced');
  } catch (error) {
    await dropTemporary(fs, temporary);
    throw StorageError.from(error, path);
  }
}

/** Replaces a file whose loss costs only work: atomic, but not synced. */
export async function writeAtomically(fs: StoreFs, path: string, data: string): Promise<void> {
  const temporary = temporaryBeside(path);
  try {
    await fs.writeFile(temporary, data, { flag: 'wx' });
    await fs.rename(temporary, path);
  } catch (error) {
    await dropTemporary(fs, temporary);
    throw StorageError.from(error, path);
  }
}

/** Removes our own leftover after a failure; what cannot be removed now is the sweep's. */
export async function dropTemporary(fs: StoreFs, path: string): Promise<void> {
  await fs.unlink(path).catch(() => undefined);
}

/** Removes a file; a file that is not there is fine. */
export async function unlinkIfPresent(fs: StoreFs, path: string): Promise<void> {
  await ifPresent(fs.unlink(path));
}
