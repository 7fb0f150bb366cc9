import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Names of the blobs in a host's store: the digests of what is published there. */
export async function blobsOf(home: string): Promise<string[]> {
  const names = await filesBelow(join(home, 'blobs', 'sha256'));
  return names.filter((name) => /^[0-9a-f]{64}$/.test(name)).sort();
}

/** Everything of transfers that are under way or wait. */
export const partialsOf = (home: string): Promise<string[]> => filesBelow(join(home, 'partials'));

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
