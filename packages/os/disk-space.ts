import { dirname } from 'node:path';
import { StorageError } from '#core/failure';
import { nodeFiles, type FileCalls } from './file-calls.ts';
import { isAbsent } from './if-present.ts';

/**
 * @param path a file or folder; where it does not exist yet, the nearest folder above counts
 * @returns bytes that an ordinary user may still write on that filesystem
 * @throws StorageError
 */
export async function freeBytes(path: string, fs: Pick<FileCalls, 'statfs'> = nodeFiles): Promise<number> {
  try {
    const { bavail, bsize } = await fs.statfs(path);
    return bavail * bsize;
  } catch (error) {
    if (isAbsent(error) && dirname(path) !== path) return freeBytes(dirname(path), fs);
    throw StorageError.from(error, path);
  }
}
