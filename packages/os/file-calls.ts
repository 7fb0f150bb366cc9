import { promises } from 'node:fs';

/** The calls of `node:fs/promises` that this folder makes; a caller may hand in others that record or fail. */
export type FileCalls = Pick<
  typeof promises,
  'link' | 'mkdir' | 'open' | 'readFile' | 'readdir' | 'rename' | 'stat' | 'unlink' | 'utimes' | 'writeFile'
>;

export const nodeFiles: FileCalls = promises;
