import { join } from 'node:path';
import { ifPresent } from '#os/if-present';
import type { StoreContext } from '../context.ts';
import { isSha256 } from '../layout.ts';

export interface BlobEntry {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** The later of mtime and atime; the store sets the atime itself when content is published or shown. */
  readonly lastUsedMs: number;
}

/** Every blob on the disk, in the order of its digest. */
export async function listBlobs(context: StoreContext): Promise<BlobEntry[]> {
  const blobs: BlobEntry[] = [];
  for (const folder of ((await ifPresent(context.fs.readdir(context.paths.blobs))) ?? []).sort())
    for (const name of ((await ifPresent(context.fs.readdir(join(context.paths.blobs, folder)))) ?? []).sort()) {
      if (!isSha256(name)) continue;
      const stat = await ifPresent(context.fs.stat(join(context.paths.blobs, folder, name)));
      if (stat !== undefined)
        blobs.push({ sha256: name, sizeBytes: stat.size, lastUsedMs: Math.max(stat.mtimeMs, stat.atimeMs) });
    }
  return blobs;
}
