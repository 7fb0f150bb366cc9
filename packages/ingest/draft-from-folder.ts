import { createHash } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { createFileDigester } from '#content/digest/file-digester';
import { StorageError } from '#core/failure';
import { disguiseOf } from '#core/bytes/first-bytes';
import { unsafePathReason } from '#core/text/safe-path';
import { MIB } from '#core/units';
import type { Draft, DraftFile, OnIngestProgress } from './draft.ts';
import { selection, selectionText, type PathSelection } from './path-filter.ts';

export interface FolderIngestOptions extends PathSelection {
  readonly signal: AbortSignal;
  readonly onProgress?: OnIngestProgress | undefined;
}

interface FoundFile {
  readonly path: string;
  readonly sizeBytes: number;
}

const VERSION_CHARS = 16;

/**
 * Reads every file of a folder once: its length, SHA-256 and CID (profile `unixfs-v1-2025`). Links to files count as files, as in
 * the caches of hub clients; links to folders are not followed. `.git` is left out. The version is a digest of the content.
 *
 * @throws RangeError when there is no file, one has a path that is unsafe elsewhere, or is a Git LFS pointer; StorageError
 */
export async function draftFromFolder(folder: string, options: FolderIngestOptions): Promise<Draft> {
  const isWanted = selection(options);
  const found = (await filesBelow(folder)).filter(({ path }) => !isOfGit(path) && isWanted(path));
  if (found.length === 0) throw new RangeError(`there is no file in ${folder}${selectionText(options)}`);
  for (const { path } of found) refuseUnsafe(path);
  const totalBytes = found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  const files: DraftFile[] = [];
  for (const file of found) {
    const onBytes = (count: number): void => {
      doneBytes += count;
      options.onProgress?.({ what: file.path, doneBytes, totalBytes });
    };
    files.push(await digested(folder, file, onBytes, options.signal));
  }
  return { files, version: contentVersion(files) };
}

/** `.git` is a folder in a clone, and a file in submodules and worktrees. */
const isOfGit = (path: string): boolean => path.split('/').includes('.git');

function refuseUnsafe(path: string): void {
  const reason = unsafePathReason(path);
  if (reason !== undefined)
    throw new RangeError(`${JSON.stringify(path)} ${reason}: rename it, or leave it out with --exclude`);
}

/** Sorted by path, because the order of `readdir` differs between file systems. */
async function filesBelow(folder: string): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((each) => !each.isDirectory())) {
      const whole = join(entry.parentPath, entry.name);
      const facts = await stat(whole);
      const path = relative(folder, whole).split(sep).join('/');
      if (facts.isFile()) found.push({ path, sizeBytes: facts.size });
    }
  } catch (error) {
    throw StorageError.from(error, folder);
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function digested(
  folder: string,
  { path, sizeBytes }: FoundFile,
  onBytes: (count: number) => void,
  signal: AbortSignal,
): Promise<DraftFile> {
  const whole = join(folder, path);
  const digester = createFileDigester({ algorithms: ['sha256'], dagProfile: 'unixfs-v1-2025' });
  try {
    const file = await open(whole, 'r');
    try {
      const buffer = Buffer.allocUnsafe(MIB);
      for (;;) {
        signal.throwIfAborted();
        const { bytesRead } = await file.read(buffer, 0, MIB, null);
        if (bytesRead === 0) break;
        if (sizeBytes <= POINTER_MOST_BYTES) refusePointer(folder, path, buffer.subarray(0, bytesRead));
        digester.update(buffer.subarray(0, bytesRead));
        onBytes(bytesRead);
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RangeError) throw error;
    throw StorageError.from(error, whole);
  }
  const { digests, sizeBytes: readBytes, dag } = digester.finish();
  if (readBytes !== sizeBytes)
    throw new RangeError(`${whole} changed while it was read: it had ${sizeBytes} bytes and gave ${readBytes}`);
  return { path, sizeBytes, sha256: digests.sha256, cid: dag!.cid };
}

/** A clone without Git LFS has small text files in place of the large ones; the Git LFS specification bounds their length. */
const POINTER_MOST_BYTES = 1024;

function refusePointer(folder: string, path: string, bytes: Buffer): void {
  if (disguiseOf(bytes) === 'a Git LFS pointer')
    throw new RangeError(
      `${JSON.stringify(path)} is a Git LFS pointer and not the file it stands for: run "git lfs pull" in ${folder}, or leave it out with --exclude`,
    );
}

/** The same files have the same version on every machine. */
function contentVersion(files: readonly DraftFile[]): string {
  const hash = createHash('sha256');
  for (const { path, sha256 } of files) hash.update(`${sha256}  ${path}\n`);
  return hash.digest('hex').slice(0, VERSION_CHARS);
}
