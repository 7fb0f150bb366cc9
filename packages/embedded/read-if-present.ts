import { readFile } from 'node:fs/promises';
import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';

/**
 * @returns the text; undefined only where the file is not there
 * @throws StorageError for every other failure: what cannot be read must not be taken for absent
 */
export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw StorageError.from(error, path);
  }
}
