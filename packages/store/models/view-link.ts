import { constants, type Stats } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { mapConcurrently } from '#core/async/map-concurrently';
import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import { unsafePathReason } from '#core/text/safe-path';
import { ifPresent } from '#os/if-present';
import { makeFolder, syncFile, syncFolder } from '#os/sync';
import { dropTemporary, temporaryBeside, unlinkIfPresent } from '#os/write-file';
import type { StoreContext } from '../context.ts';
import { blobPath } from '../layout.ts';

/** Files that are worked on at once: the calls share a few threads, so more of them only use memory. */
export const DISK_CALLS_AT_ONCE = 16;

/** A filesystem without hard links, a full link count, another mount. */
const NO_HARD_LINK = new Set(['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EACCES']);

/** @throws StorageError `unsafe-path` */
export function viewPath(context: StoreContext, model: string, path: string): string {
  const reason = unsafePathReason(path);
  if (reason !== undefined)
    throw new StorageError(
      'unsafe-path',
      path,
      `path ${JSON.stringify(path)} ${reason}; write for example "onnx/model.onnx"`,
    );
  return join(modelFolder(context, model), ...path.split('/'));
}

export function modelFolder(context: StoreContext, model: string): string {
  const reason = model.includes('/') || model.startsWith('.') ? 'is not one plain name' : unsafePathReason(model);
  if (reason !== undefined)
    throw new StorageError(
      'unsafe-path',
      model,
      `model name ${JSON.stringify(model)} ${reason}; write for example "whisper-base"`,
    );
  return join(context.paths.models, model);
}

export interface ViewLink {
  readonly sha256: string;
  readonly path: string;
}

/**
 * Shows a blob under its name: hard link, else reflink, else copy; a symlink where the host chose that. A reader sees the
 * old file or the new one, never a part.
 *
 * @throws StorageError
 */
export const linkView = (context: StoreContext, sha256: string, model: string, path: string): Promise<void> =>
  linkViews(context, model, [{ sha256, path }]);

/**
 * The same for many views of one model. Each folder is synced once, when all its names are there.
 *
 * @throws StorageError
 */
export async function linkViews(context: StoreContext, model: string, links: readonly ViewLink[]): Promise<void> {
  const missing: (ViewLink & { readonly view: string })[] = [];
  await mapConcurrently(links, DISK_CALLS_AT_ONCE, async (link) => {
    const view = viewPath(context, model, link.path);
    if (!(await refusable(view, () => showsBlob(context, blobPath(context.paths, link.sha256), view))))
      missing.push({ ...link, view });
  });
  const folders = new Set(missing.map(({ view }) => dirname(view)));
  for (const folder of folders) await refusable(folder, () => makeViewFolder(context, model, folder));
  await mapConcurrently(missing, DISK_CALLS_AT_ONCE, ({ sha256, view }) =>
    refusable(view, () => replaceView(context, sha256, view)),
  );
  for (const folder of folders)
    await refusable(folder, async () => {
      await syncFolder(context.fs, folder);
      await context.onStep('view-folder-synced');
    });
}

async function refusable<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw StorageError.from(error, path);
  }
}

async function replaceView(context: StoreContext, sha256: string, view: string): Promise<void> {
  const temporary = temporaryBeside(view);
  try {
    await makeLink(context, blobPath(context.paths, sha256), temporary);
    await context.onStep('view-temporary');
    await context.fs.rename(temporary, view);
  } finally {
    await dropTemporary(context.fs, temporary);
  }
  await context.onStep('view-renamed');
}

/** True when the view already gives this blob's bytes: the same inode, a link to it, or a copy that carries its size and mtime. */
export async function showsBlob(context: StoreContext, blob: string, view: string): Promise<boolean> {
  const [wanted, shown] = await Promise.all([ifPresent(context.fs.stat(blob)), ifPresent(context.fs.lstat(view))]);
  if (wanted === undefined || shown === undefined) return false;
  if (shown.isSymbolicLink())
    return context.linkMode === 'symlink' && sameFile(wanted, await ifPresent(context.fs.stat(view)));
  if (context.linkMode === 'symlink') return false;
  return sameFile(wanted, shown) || (shown.isFile() && shown.size === wanted.size && sameTime(shown, wanted));
}

const sameFile = (a: Stats, b: Stats | undefined): boolean => b !== undefined && a.ino === b.ino && a.dev === b.dev;

/** Within the coarsest clock of a common filesystem that keeps the mtime of a copy. */
const sameTime = (a: Stats, b: Stats): boolean => Math.abs(a.mtimeMs - b.mtimeMs) < 2;

async function makeLink(context: StoreContext, blob: string, temporary: string): Promise<void> {
  if (context.linkMode === 'symlink') return context.fs.symlink(relative(dirname(temporary), blob), temporary);
  try {
    await context.fs.link(blob, temporary);
  } catch (error) {
    if (!NO_HARD_LINK.has(codeOf(error))) throw error;
    await copyBlob(context, blob, temporary);
  }
}

async function copyBlob(context: StoreContext, blob: string, temporary: string): Promise<void> {
  const { mtime, atime } = await context.fs.stat(blob);
  await context.fs.copyFile(blob, temporary, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  await context.fs.utimes(temporary, atime, mtime);
  await syncFile(context.fs, temporary);
}

/** Makes the folder of a view, and refuses one that leads out of the model through a planted link. */
async function makeViewFolder(context: StoreContext, model: string, folder: string): Promise<void> {
  const root = modelFolder(context, model);
  await makeFolder(context.fs, folder, 0o755);
  const [realRoot, realModels, real] = await Promise.all(
    [root, context.paths.models, folder].map((path) => context.fs.realpath(path)),
  );
  if (realRoot !== join(realModels!, model) || !`${real}${sep}`.startsWith(`${realRoot}${sep}`))
    throw new StorageError(
      'unsafe-path',
      folder,
      `${folder} leads out of ${root} through a symbolic link: remove the link`,
    );
}

/** Takes a view away for good, and the folders it leaves empty. A folder under that name belongs to another version's files. */
export async function unlinkView(context: StoreContext, model: string, path: string): Promise<void> {
  const root = modelFolder(context, model);
  const view = viewPath(context, model, path);
  try {
    if (await isFolder(context, view)) return;
    await unlinkIfPresent(context.fs, view);
    let folder = dirname(view);
    while (folder.startsWith(`${root}${sep}`) && (await removeIfEmpty(context, folder))) folder = dirname(folder);
    await ifPresent(syncFolder(context.fs, folder));
  } catch (error) {
    throw StorageError.from(error, view);
  }
}

const isFolder = async (context: StoreContext, path: string): Promise<boolean> =>
  (await ifPresent(context.fs.lstat(path)))?.isDirectory() === true;

async function removeIfEmpty(context: StoreContext, folder: string): Promise<boolean> {
  try {
    await context.fs.rmdir(folder);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR'].includes(codeOf(error))) return false;
    throw error;
  }
}
