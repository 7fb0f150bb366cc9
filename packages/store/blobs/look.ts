import type { Digests } from '#core/file-spec';
import { StorageError } from '#core/failure';
import { ifPresent } from '#os/if-present';
import { readFacts } from './blob-facts.ts';
import { isUnchanged } from './check-blob.ts';
import type { StoreContext } from '../context.ts';
import { blobPath } from '../layout.ts';

/** What the store knows of a blob without reading its bytes. */
export interface SeenBlob {
  readonly sha256: string;
  /** The blob itself; never write to it. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly cid: string | undefined;
  readonly digests: Digests;
  readonly inode: number;
  readonly mtimeMs: number;
  /** All bytes of this inode were hashed since the start of this process, and mtime and size are as they were then. */
  readonly isProven: boolean;
}

/**
 * Looks at a blob and does not hash it: `find` does.
 *
 * @returns undefined when the store does not have it
 * @throws StorageError when the disk cannot be read
 */
export async function lookAtBlob(context: StoreContext, sha256: string): Promise<SeenBlob | undefined> {
  const path = blobPath(context.paths, sha256);
  try {
    const stat = await ifPresent(context.fs.stat(path));
    if (stat === undefined) return undefined;
    const facts = await readFacts(context, sha256);
    const isProven = facts !== undefined && facts.sizeBytes === stat.size && isUnchanged(context, stat, facts);
    return {
      ...{ sha256, path, sizeBytes: stat.size, inode: stat.ino, mtimeMs: stat.mtimeMs, isProven },
      ...{ cid: facts?.cid, digests: facts?.digests ?? {} },
    };
  } catch (error) {
    throw StorageError.from(error, path);
  }
}
