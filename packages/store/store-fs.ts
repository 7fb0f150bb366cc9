import { promises } from 'node:fs';
import type { FileCalls } from '#os/file-calls';

/** The calls of `node:fs/promises` that the store makes; a test hands in one that fails where it wants. */
export type StoreFs = FileCalls &
  Pick<typeof promises, 'chmod' | 'copyFile' | 'lstat' | 'realpath' | 'rmdir' | 'statfs' | 'symlink'>;

export const nodeFs: StoreFs = promises;
