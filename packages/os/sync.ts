import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf } from '#core/error-facts';
import type { FileCalls } from './file-calls.ts';

/** Filesystems that cannot sync a folder, or not without write access, say so with one of these. */
const NO_FOLDER_SYNC = new Set(['EINVAL', 'EISDIR', 'ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EACCES']);

/** True when the error says that folders cannot be synced here, not that a sync failed. */
export const hasNoFolderSync = (error: unknown): boolean => NO_FOLDER_SYNC.has(codeOf(error));

/**
 * Brings a file's bytes, mode and times to the disk. A read-only file is synced through a read-only handle.
 *
 * @param prepare a last change to the file, synced with it
 */
export async function syncFile(
  fs: FileCalls,
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
export async function syncFolder(fs: FileCalls, path: string): Promise<void> {
  try {
    const handle = await fs.open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!hasNoFolderSync(error)) throw error;
  }
}

/** Syncs a folder and those above it, up to and including `top`. */
export async function syncFolders(fs: FileCalls, folder: string, top: string): Promise<void> {
  for (let at = folder; ; at = dirname(at)) {
    await syncFolder(fs, at);
    if (at.length <= top.length || at === dirname(at)) return;
  }
}

/** Makes a folder, and those above it that are missing; none of their names is lost with the power once it resolves. */
export async function makeFolder(fs: FileCalls, path: string, mode: number): Promise<void> {
  const first = await fs.mkdir(path, { recursive: true, mode });
  if (first !== undefined) await syncFolders(fs, dirname(path), dirname(first));
}
