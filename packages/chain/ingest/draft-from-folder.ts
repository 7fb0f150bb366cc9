import { createHash } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { createFileDigester } from '#content/file-digester';
import { StorageError } from '#core/failure';
import { unsafePathReason } from '#core/safe-path';
import { MIB } from '#core/units';
import type { Draft, DraftFile, OnIngestProgress } from './draft.ts';
import { pathFilter } from './path-filter.ts';

export interface FolderIngestOptions {
  /** Globs; none takes every file. */
  readonly include: readonly string[];
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
 * the caches of hub clients; links to folders are not followed. Without a name of its own, the state is named by its content.
 *
 * @throws RangeError when there is no file, or one has a path that is unsafe elsewhere; StorageError
 */
export async function draftFromFolder(folder: string, options: FolderIngestOptions): Promise<Draft> {
  const isWanted = pathFilter(options.include);
  const found = (await filesBelow(folder)).filter(({ path }) => isWanted(path));
  if (found.length === 0) throw noFile(folder, options.include);
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

const noFile = (folder: string, include: readonly string[]): RangeError =>
  new RangeError(
    include.length === 0
      ? `there is no file in ${folder}`
      : `there is no file in ${folder} that matches ${include.map((glob) => `"${glob}"`).join(' or ')}`,
  );

function refuseUnsafe(path: string): void {
  const reason = unsafePathReason(path);
  if (reason !== undefined)
    throw new RangeError(`${JSON.stringify(path)} ${reason}: rename it, or leave it out with --include`);
}

/** In the order of their paths, whatever order the disk has. */
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
        digester.update(buffer.subarray(0, bytesRead));
        onBytes(bytesRead);
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    throw StorageError.from(error, whole);
  }
  const { digests, sizeBytes: readBytes, dag } = digester.finish();
  if (readBytes !== sizeBytes)
    throw new RangeError(`${whole} changed while it was read: it had ${sizeBytes} bytes and gave ${readBytes}`);
  return { path, sizeBytes, sha256: digests.sha256, cid: dag!.cid };
}

/** The same files have the same version, wherever they are. */
function contentVersion(files: readonly DraftFile[]): string {
  const hash = createHash('sha256');
  for (const { path, sha256 } of files) hash.update(`${sha256}  ${path}\n`);
  return hash.digest('hex').slice(0, VERSION_CHARS);
}
