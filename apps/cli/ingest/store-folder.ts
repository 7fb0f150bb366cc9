import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '#contracts/manifest';
import { StorageError, VerifyError } from '#core/failure';
import { MIB } from '#core/units';
import type { Store } from '#store/open-store';
import type { PublishedBlob } from '#store/blobs/publish';
import type { ProgressItem } from '../terminal/progress-lines.ts';

/** The files of a folder in the store of this host, under their digests. */
export interface StoredFolder {
  /** Shows them under the name and version of the manifest. @throws StorageError */
  show(): Promise<void>;
}

export interface StoreFolderOptions {
  readonly signal: AbortSignal;
  readonly onBytes: (progress: Omit<ProgressItem, 'bytesPerSecond'>) => void;
}

type ManifestFile = Manifest['files'][number];

/**
 * Copies the files of a manifest from a folder into the store; the SHA-256 of the manifest proves each while it is copied. Files that
 * the store has already are not copied.
 *
 * @throws VerifyError when a file changed since the manifest was made; StorageError; the signal's reason
 */
export async function storeFolder(
  store: Store,
  folder: string,
  { name, version, type, files }: Manifest,
  { signal, onBytes }: StoreFolderOptions,
): Promise<StoredFolder> {
  const totalBytes = files.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  const copied = (bytes: number): void => {
    doneBytes += bytes;
    onBytes({ label: name, doneBytes, totalBytes, note: 'copying into the store' });
  };
  const stored: [ManifestFile, PublishedBlob][] = [];
  for (const file of files) stored.push([file, await storeFile(store, join(folder, file.path), file, copied, signal)]);
  return {
    async show() {
      for (const [file, blob] of stored)
        await store.ensureView(blob, { model: name, version, path: file.path, type, versionFileCount: files.length });
    },
  };
}

async function storeFile(
  store: Store,
  from: string,
  { sha256, cid, sizeBytes = 0 }: ManifestFile,
  copied: (bytes: number) => void,
  signal: AbortSignal,
): Promise<PublishedBlob> {
  const digests = { sha256: sha256! };
  const outcome = await store.leaseContent(sha256!, { find: () => store.find({ digests, cid, sizeBytes }), signal });
  if ('found' in outcome) {
    copied(sizeBytes);
    return outcome.found;
  }
  const { partialPath, discard } = outcome.partial;
  try {
    await copyProven(from, partialPath, sha256!, copied, signal);
    return await store.publish({ partialPath, sha256: sha256!, sizeBytes, cid });
  } finally {
    await discard();
  }
}

async function copyProven(
  from: string,
  to: string,
  sha256: string,
  copied: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(MIB);
  const source = await open(from, 'r').catch((error: unknown) => {
    throw StorageError.from(error, from);
  });
  try {
    const target = await open(to, 'w', 0o600);
    try {
      for (;;) {
        signal.throwIfAborted();
        const { bytesRead } = await source.read(buffer, 0, MIB, null);
        if (bytesRead === 0) break;
        const bytes = buffer.subarray(0, bytesRead);
        hash.update(bytes);
        await target.writeFile(bytes);
        copied(bytesRead);
      }
    } finally {
      await target.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    throw StorageError.from(error, to);
  } finally {
    await source.close();
  }
  const found = hash.digest('hex');
  if (found !== sha256)
    throw new VerifyError('wrong-digest', `${from} changed while it was added: sha256 is ${found}, not ${sha256}`);
}
