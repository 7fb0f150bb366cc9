import { promises } from 'node:fs';
import { codeOf } from '#core/error-facts';

/** The calls of `node:fs/promises` that the store makes; a test hands in one that fails where it wants. */
export type StoreFs = Pick<
  typeof promises,
  | 'chmod'
  | 'copyFile'
  | 'link'
  | 'lstat'
  | 'mkdir'
  | 'open'
  | 'readdir'
  | 'readFile'
  | 'realpath'
  | 'rename'
  | 'rmdir'
  | 'stat'
  | 'statfs'
  | 'symlink'
  | 'unlink'
  | 'utimes'
  | 'writeFile'
>;

export const nodeFs: StoreFs = promises;

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
