import { join } from 'node:path';
import { StorageError } from '#core/failure';
import { ifPresent } from '#os/if-present';
import { writeDurably } from '#os/write-file';
import type { StoreContext } from '../context.ts';

/** What was learned about a CID: its leaf table and its inner nodes, as `content` encodes them. */
export interface LeafFiles {
  readonly table?: Uint8Array | undefined;
  readonly inner?: Uint8Array | undefined;
}

/** @throws RangeError when the canonical CID is not base32: it becomes a file name */
export function leavesPath(context: StoreContext, cid: string, kind: 'leaves' | 'inner'): string {
  const canonical = context.canonicalCid(cid);
  if (!/^[A-Za-z0-9]{2,240}$/.test(canonical))
    throw new RangeError(`cid ${JSON.stringify(cid)} is not a CID in base32 or base58, such as "bafybei…"`);
  return join(context.paths.leaves, `${canonical}.${kind}`);
}

/**
 * Keeps the leaf table before its file is complete, so that a later attempt needs no gateway for it. A file that is there with the same
 * bytes is left: publishing writes what the transfer kept a moment before, and each write syncs twice.
 *
 * @throws StorageError
 */
export async function writeLeaves(context: StoreContext, cid: string, files: LeafFiles): Promise<void> {
  await context.fs.mkdir(context.paths.leaves, { recursive: true, mode: 0o700 });
  for (const [kind, bytes] of [['leaves', files.table] as const, ['inner', files.inner] as const]) {
    if (bytes === undefined) continue;
    const path = leavesPath(context, cid, kind);
    const known = await ifPresent(context.fs.readFile(path));
    if (known?.equals(bytes) !== true) await writeDurably(context.fs, path, bytes);
  }
}

/** @returns what the store has; the bytes are unchecked, so the decoder checks them */
export async function readLeaves(context: StoreContext, cid: string): Promise<LeafFiles> {
  try {
    const [table, inner] = await Promise.all(
      (['leaves', 'inner'] as const).map((kind) => ifPresent(context.fs.readFile(leavesPath(context, cid, kind)))),
    );
    return { table, inner };
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw StorageError.from(error, context.paths.leaves);
  }
}
