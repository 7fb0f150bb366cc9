import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { StorageError } from '#core/failure';
import { isAbsent } from '#os/if-present';
import { storePaths } from './layout.ts';
import { nodeFiles, type FileCalls } from '#os/file-calls';

/**
 * Writes a small file into the store of a host and takes it away again.
 *
 * @param home absolute path of HAULIER_HOME
 * @throws StorageError with a sentence when the store is not there or the disk refuses
 */
export async function checkWritable(home: string, fs: FileCalls = nodeFiles): Promise<void> {
  const probe = join(storePaths(home).partials, `.check-${randomUUID()}`);
  try {
    await fs.writeFile(probe, 'haulier', { flag: 'wx', mode: 0o600 });
    await fs.unlink(probe);
  } catch (error) {
    if (isAbsent(error))
      throw new StorageError('io', home, `there is no store in ${home}: a worker makes it when it starts`, {
        cause: error,
      });
    throw StorageError.from(error, home);
  }
}
