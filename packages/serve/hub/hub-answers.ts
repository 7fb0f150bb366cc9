import { createHash } from 'node:crypto';
import type { RepoFile, RepoRevision } from './hub-repo.ts';

/** What hubs say of one file or folder. */
export type TreeEntry =
  | {
      readonly type: 'file';
      readonly path: string;
      readonly size: number;
      readonly oid: string;
      readonly lfs?: { readonly oid: string; readonly size: number; readonly pointerSize: number };
    }
  | { readonly type: 'directory'; readonly path: string; readonly size: 0; readonly oid: string };

/** What names the bytes of a file: the SHA-256, or the git name where the hub gave a small file that one. */
export interface FileName {
  readonly etag: string;
  /** Large files of a hub are named by their SHA-256. */
  readonly isLarge: boolean;
}

/** @param knownGit git name of the content, where the store was told it */
export function fileName({ sha256, git }: RepoFile, knownGit: string | undefined): FileName {
  const small = git ?? knownGit;
  return small === undefined ? { etag: sha256!, isLarge: true } : { etag: small, isLarge: false };
}

export function fileEntry(file: RepoFile, name: FileName): TreeEntry {
  const { path, sizeBytes: size } = file;
  if (!name.isLarge) return { type: 'file', path, size, oid: name.etag };
  // Named by its SHA-256, so it is known.
  const sha256 = name.etag;
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`;
  const pointerSize = Buffer.byteLength(pointer);
  return { type: 'file', path, size, oid: gitBlobOf(pointer), lfs: { oid: sha256, size, pointerSize } };
}

const gitBlobOf = (text: string): string =>
  createHash('sha1')
    .update(`blob ${Buffer.byteLength(text)}\0${text}`)
    .digest('hex');

/**
 * Paths below a folder, in their order, each with its file; undefined for that of a folder.
 *
 * @param folder `''` is the whole repository
 * @returns undefined when there is no such folder
 */
export function treePaths(
  revision: RepoRevision,
  folder: string,
  isRecursive: boolean,
): readonly (readonly [path: string, file: RepoFile | undefined])[] | undefined {
  const prefix = folder === '' ? '' : `${folder}/`;
  const entries = new Map<string, RepoFile | undefined>();
  for (const file of revision.files.values()) {
    if (!file.path.startsWith(prefix)) continue;
    const names = file.path.slice(prefix.length).split('/');
    for (let depth = 1; depth < names.length && (isRecursive || depth === 1); depth += 1)
      entries.set(prefix + names.slice(0, depth).join('/'), undefined);
    if (isRecursive || names.length === 1) entries.set(file.path, file);
  }
  if (entries.size === 0 && folder !== '') return undefined;
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}

export const folderEntry = (path: string): TreeEntry => ({
  ...{ type: 'directory', path, size: 0 },
  oid: createHash('sha1').update(path).digest('hex'),
});

/** The description of a repository at one commit; clients of all ages need each of the fields that stand before `tags`. */
export function infoOf(
  name: string,
  revision: RepoRevision,
  isPrivate: boolean,
  entryOf: ((file: RepoFile) => TreeEntry) | undefined,
): object {
  const paths = [...revision.files.keys()].sort();
  const siblings = paths.map((path) => {
    const entry = entryOf?.(revision.files.get(path)!);
    if (entry?.type !== 'file') return { rfilename: path };
    const { size, oid: blobId, lfs } = entry;
    return {
      rfilename: path,
      size,
      blobId,
      ...(lfs && { lfs: { sha256: lfs.oid, size, pointerSize: lfs.pointerSize } }),
    };
  });
  const [author] = name.split('/');
  return {
    ...{ _id: revision.commit.slice(0, 24), id: name, modelId: name, author, sha: revision.commit },
    ...{ private: isPrivate, gated: false, disabled: false, siblings },
    ...{ lastModified: revision.modifiedAt, createdAt: revision.modifiedAt },
    ...{ tags: [], downloads: 0, likes: 0, spaces: [], ...revision.about },
  };
}
