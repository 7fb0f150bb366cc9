import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import { nodeFiles, type FileCalls } from './file-calls.ts';

/** True when the file, or a folder on the way to it, is not there. */
export const isAbsent = (error: unknown): boolean => codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';

/** Resolves to undefined where the file is not there; every other failure is thrown. */
export async function ifPresent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/**
 * @returns the text; undefined only where the file is not there
 * @throws StorageError for every other failure, a file in place of a folder included: what cannot be read must not be taken
 *   for absent
 */
export async function readIfPresent(path: string, fs: FileCalls = nodeFiles): Promise<string | undefined> {
  try {
    return await fs.readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw StorageError.from(error, path);
  }
}
