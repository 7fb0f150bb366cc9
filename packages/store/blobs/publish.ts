import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import type { Digests } from '#core/file-spec';
import { ifPresent } from '#os/if-present';
import { syncFile, syncFolder } from '#os/sync';
import { renameDurably, unlinkIfPresent } from '#os/write-file';
import { readFacts, writeFacts } from './blob-facts.ts';
import { isUnchanged } from './check-blob.ts';
import type { StoreContext } from '../context.ts';
import { blobPath } from '../layout.ts';
import { writeLeaves } from './leaf-files.ts';
import { showContent, touchBlob, type ViewRequest } from '../models/model-views.ts';
import type { RecordStore } from '../models/record-store.ts';

export interface PublishRequest {
  /** A complete, verified file on the store's own filesystem that no process holds open for writing. */
  readonly partialPath: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Further digests that the file was proven to have; they become names for `find`. */
  readonly digests?: Digests | undefined;
  readonly cid?: string | undefined;
  /** Leaf table and inner nodes of the CID, as `content` encodes them. */
  readonly table?: Uint8Array | undefined;
  readonly inner?: Uint8Array | undefined;
  readonly view?: ViewRequest | undefined;
}

export interface PublishedBlob {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly cid: string | undefined;
  /** The blob itself; never write to it. */
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly verifiedAt: number;
}

/** A filesystem without permissions (FAT, some network shares): read-only is protection, not correctness. */
const NO_PERMISSIONS = new Set(['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP']);

/**
 * Makes verified bytes visible under their final name. Survives power loss once it resolves; a crash at any step before
 * leaves the old state or the new one. Safe to repeat, and for two processes at once: content names the result.
 *
 * @throws StorageError
 */
export async function publish(
  context: StoreContext,
  records: RecordStore,
  request: PublishRequest,
): Promise<PublishedBlob> {
  const blob = blobPath(context.paths, request.sha256);
  try {
    if (await alreadyStored(context, request)) await discardPartial(context, request);
    else await storeBlob(context, request, blob);
    await storeLeaves(context, request);
    const published = await rememberBlob(context, request, blob);
    if (request.view !== undefined) await showContent(context, records, published, request.view);
    return published;
  } catch (error) {
    throw StorageError.from(error, blob);
  }
}

/** A blob with the right size and the facts of an earlier proof is as good as ours, and its views already share it. */
async function alreadyStored(context: StoreContext, request: PublishRequest): Promise<boolean> {
  const stat = await ifPresent(context.fs.stat(blobPath(context.paths, request.sha256)));
  const facts = await readFacts(context, request.sha256);
  return (
    stat !== undefined && facts !== undefined && stat.size === request.sizeBytes && isUnchanged(context, stat, facts)
  );
}

async function discardPartial(context: StoreContext, request: PublishRequest): Promise<void> {
  await touchBlob(context, request.sha256);
  await unlinkIfPresent(context.fs, request.partialPath);
}

async function storeBlob(context: StoreContext, request: PublishRequest, blob: string): Promise<void> {
  const { fs } = context;
  await refuseWrongSize(context, request);
  await syncFile(fs, request.partialPath, (handle) => makeReadOnly(context, handle, request.partialPath));
  await context.onStep('partial-synced');
  await fs.mkdir(dirname(blob), { recursive: true, mode: 0o755 });
  await renameDurably(fs, request.partialPath, blob, async (step) => {
    if (step === 'renamed') await context.onStep('blob-renamed');
  });
  await syncFolder(fs, context.paths.blobs);
  await context.onStep('blob-folder-synced');
}

async function refuseWrongSize(context: StoreContext, request: PublishRequest): Promise<void> {
  const { size } = await context.fs.stat(request.partialPath);
  if (size !== request.sizeBytes)
    throw new StorageError(
      'io',
      request.partialPath,
      `the partial has ${size} bytes where ${request.sizeBytes} were verified; it was changed after the check`,
    );
}

/** Mode 0444 and an mtime in whole milliseconds, which every copy of it can keep. */
async function makeReadOnly(context: StoreContext, handle: FileHandle, path: string): Promise<void> {
  const now = new Date(context.clock.now());
  await handle.utimes(now, now);
  try {
    await handle.chmod(0o444);
  } catch (error) {
    if (!NO_PERMISSIONS.has(codeOf(error))) throw error;
    context.logger.debug({ path }, 'filesystem without permissions');
  }
}

async function storeLeaves(context: StoreContext, request: PublishRequest): Promise<void> {
  if (request.cid === undefined) return;
  await writeLeaves(context, request.cid, request);
  await context.onStep('leaves-written');
}

async function rememberBlob(context: StoreContext, request: PublishRequest, blob: string): Promise<PublishedBlob> {
  const stat = await context.fs.stat(blob);
  const earlier = await readFacts(context, request.sha256);
  const cid = request.cid === undefined ? earlier?.cid : context.canonicalCid(request.cid);
  const verifiedAt = context.clock.now();
  await writeFacts(context, {
    sha256: request.sha256,
    sizeBytes: request.sizeBytes,
    ...(cid === undefined ? {} : { cid }),
    digests: { ...earlier?.digests, ...request.digests },
    verifiedAt,
    mtimeMs: stat.mtimeMs,
    inode: stat.ino,
  });
  context.provenThisRun.add(request.sha256);
  await context.onStep('facts-written');
  return { sha256: request.sha256, sizeBytes: request.sizeBytes, cid, path: blob, verifiedAt };
}
