import { lstat, rmdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StorageError } from '#core/failure';
import { nodeFiles, type FileCalls } from '#os/file-calls';
import { ifPresent } from '#os/if-present';
import { syncFolders } from '#os/sync';

/**
 * Makes the folder of a target where it is missing. The names of all folders that were made survive power loss once it resolves, because
 * a file published in them would be lost with them.
 *
 * @returns a function that removes the folders that were made, as long as they are empty
 * @throws StorageError also for a target that no file may replace: a folder, a device, a pipe
 */
export async function preparePlace(target: string, files: FileCalls = nodeFiles): Promise<() => Promise<void>> {
  try {
    await refuseOtherThanFile(target);
    const folder = dirname(target);
    const first = await files.mkdir(folder, { recursive: true });
    if (first !== undefined) await syncFolders(files, dirname(folder), dirname(first));
    return () => (first === undefined ? Promise.resolve() : removeEmpty(folder, first));
  } catch (error) {
    throw StorageError.from(error, target);
  }
}

/** Renaming over a device would remove it for the whole machine. A link is replaced; the file that it leads to stays. */
async function refuseOtherThanFile(target: string): Promise<void> {
  const facts = await ifPresent(lstat(target));
  if (facts === undefined || facts.isFile()) return;
  const leadsTo = facts.isSymbolicLink() ? await stat(target).catch(() => undefined) : facts;
  if (leadsTo?.isDirectory())
    throw new StorageError('unsafe-path', target, `${target} is a folder: write the path of the file`);
  if (!facts.isSymbolicLink())
    throw new StorageError(
      'unsafe-path',
      target,
      `${target} is no regular file and is not replaced: write another path`,
    );
}

async function removeEmpty(folder: string, first: string): Promise<void> {
  for (let at = folder; at.length >= first.length; at = dirname(at)) {
    try {
      await rmdir(at);
    } catch {
      return; // the folder is not empty
    }
  }
}
