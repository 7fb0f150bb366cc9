import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import { journalPathOf } from '#transfer/partial';

/**
 * Makes a verified partial visible under the name the user chose; survives power loss once it resolves. The journal goes last:
 * without its partial it means nothing.
 *
 * @throws StorageError; the partial stays
 */
export async function publishTarget(partialPath: string, target: string): Promise<void> {
  try {
    await sync(partialPath, 'r+');
    await rename(partialPath, target);
    await syncFolder(dirname(target));
    await rm(journalPathOf(partialPath), { force: true });
  } catch (error) {
    throw StorageError.from(error, target);
  }
}

/** What file systems without folders to sync (some network shares, FAT) answer. */
const NO_FOLDER_SYNC = new Set(['EINVAL', 'EISDIR', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP']);

async function syncFolder(path: string): Promise<void> {
  try {
    await sync(path, 'r');
  } catch (error) {
    if (!NO_FOLDER_SYNC.has(codeOf(error))) throw error;
  }
}

async function sync(path: string, flags: 'r' | 'r+'): Promise<void> {
  const handle = await open(path, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
