import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import { nodeFiles, type FileCalls } from '#os/file-calls';
import { syncFile } from '#os/sync';
import { renameDurably, unlinkIfPresent } from '#os/write-file';
import { journalPathOf } from '#transfer/disk/partial';

/**
 * Makes a verified partial visible under the name the user chose; survives power loss once it resolves. The journal is removed last,
 * because it is ignored without its partial. A full disk may have left it half replaced, as `.new`.
 *
 * @throws StorageError; the partial stays
 */
export async function publishTarget(partialPath: string, target: string, files: FileCalls = nodeFiles): Promise<void> {
  try {
    const mode = await modeFor(target, files);
    await syncFile(files, partialPath, (partial) => partial.chmod(mode).catch(unlessWithoutModes));
    await renameDurably(files, partialPath, target);
    const journal = journalPathOf(partialPath);
    for (const path of [journal, `${journal}.new`]) await unlinkIfPresent(files, path);
  } catch (error) {
    throw StorageError.from(error, target);
  }
}

/** A partial is private. The file gets the mode of the file that it replaces, else that of a new file. */
async function modeFor(target: string, files: FileCalls): Promise<number> {
  const existing = await files.stat(target).catch(() => undefined);
  return existing === undefined ? 0o666 & ~process.umask() : existing.mode & 0o777;
}

/** FAT and some network shares have no file modes. */
function unlessWithoutModes(error: unknown): void {
  if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL'].includes(codeOf(error))) throw error;
}
