import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import type { FileCalls } from './file-calls.ts';
import { ifPresent } from './if-present.ts';
import { syncFolder } from './sync.ts';

/** A unique name beside `path`; the store's sweep removes files of such names that a crash left. */
export const temporaryBeside = (path: string): string =>
  join(dirname(path), `.${basename(path).slice(0, 100)}.${randomUUID()}.tmp`);

export type WriteStep = 'written' | 'renamed' | 'synced';

export interface DurableWriteOptions {
  /** Of the file; default 0644. */
  readonly mode?: number | undefined;
  /** Path of the temporary file, where one process writes at a time: a crash then leaves at most one. Default: a unique name. */
  readonly temporary?: string | undefined;
  /** Called after each step, in this order. */
  readonly after?: ((step: WriteStep) => void | Promise<void>) | undefined;
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;

/**
 * Replaces a file so that a reader and a crash see the old content or the new one: temporary, fdatasync, rename, fsync of the folder.
 *
 * @throws StorageError
 */
export async function writeDurably(
  fs: FileCalls,
  path: string,
  data: string | Uint8Array,
  { mode = 0o644, temporary, after }: DurableWriteOptions = {},
): Promise<void> {
  const written = temporary ?? temporaryBeside(path);
  const how = temporary === undefined ? O_EXCL : O_TRUNC | O_NOFOLLOW;
  try {
    const handle = await fs.open(written, O_WRONLY | O_CREAT | how, mode);
    try {
      await handle.writeFile(data);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await after?.('written');
    await renameDurably(fs, written, path, after);
  } catch (error) {
    await dropTemporary(fs, written);
    throw StorageError.from(error, path);
  }
}

/** Gives a file that is synced already its name for good: rename, fsync of the folder. */
export async function renameDurably(
  fs: FileCalls,
  from: string,
  to: string,
  after?: (step: WriteStep) => void | Promise<void>,
): Promise<void> {
  await fs.rename(from, to);
  await after?.('renamed');
  await syncFolder(fs, dirname(to));
  await after?.('synced');
}

/**
 * Replaces a file whose loss costs only work: a reader sees the old content or the new one, but nothing is synced.
 *
 * @param mode of the file; as for any new file where it is left out
 * @throws StorageError
 */
export async function writeAtomically(fs: FileCalls, path: string, data: string, mode = 0o666): Promise<void> {
  const temporary = temporaryBeside(path);
  try {
    await fs.writeFile(temporary, data, { flag: 'wx', mode });
    await fs.rename(temporary, path);
  } catch (error) {
    await dropTemporary(fs, temporary);
    throw StorageError.from(error, path);
  }
}

/** What filesystems without hard links (FAT, some network shares) answer. */
const NO_LINKS = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP']);

/**
 * Makes a file that is not there yet, readable by its owner only, with its whole content or not at all. Of several that try at
 * once, one succeeds. Without hard links, a reader may see it while it is written.
 *
 * @returns false when there is one already
 * @throws StorageError
 */
export async function createWhole(fs: FileCalls, path: string, data: string): Promise<boolean> {
  const temporary = temporaryBeside(path);
  try {
    await fs.writeFile(temporary, data, { flag: 'wx', mode: 0o600 });
    await fs.link(temporary, path).catch((error: unknown) => {
      if (!NO_LINKS.has(codeOf(error))) throw error;
      return fs.writeFile(path, data, { flag: 'wx', mode: 0o600 });
    });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw StorageError.from(error, path);
  } finally {
    await dropTemporary(fs, temporary);
  }
}

/** Removes our own leftover after a failure; what cannot be removed now is the sweep's. */
export async function dropTemporary(fs: FileCalls, path: string): Promise<void> {
  await fs.unlink(path).catch(() => undefined);
}

/** Removes a file; a file that is not there is fine. */
export async function unlinkIfPresent(fs: FileCalls, path: string): Promise<void> {
  await ifPresent(fs.unlink(path));
}
