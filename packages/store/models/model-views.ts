import { mapConcurrently } from '#core/async/map-concurrently';
import { StorageError } from '#core/failure';
import type { SourceSpec } from '#core/file-spec';
import { ifPresent } from '#os/if-present';
import type { StoreContext } from '../context.ts';
import { blobPath } from '../layout.ts';
import type { FileRecord, ModelRecord, ModelRecords } from './model-records.ts';
import { clashReason, pathIndex } from '#core/text/safe-path';
import { addFiles, makeCurrent, markContent, pathsCollide, pathsOf } from './record-changes.ts';
import type { RecordStore } from './record-store.ts';
import { DISK_CALLS_AT_ONCE, linkView, linkViews, unlinkView, viewPath } from './view-link.ts';

/** Where a published content is wanted. */
export interface ViewRequest {
  readonly model: string;
  readonly version: string;
  /** Relative to the model's folder. */
  readonly path: string;
  /**
   * How many files of the version this host is to have. With it the views change to the new version in one go, once so many are
   * here; until then the older version stays in place. Without it, and where no version is shown yet, each file is shown as it
   * comes.
   */
  readonly versionFileCount?: number | undefined;
  /** The file is entered, and not shown unless its version is the one that is shown: an activation shows it. */
  readonly isHeld?: boolean | undefined;
  /** What the model is for, such as `stt`. */
  readonly type?: string | undefined;
  /** CID of the manifest or folder the version was published as. */
  readonly ipfsHash?: string | undefined;
  readonly hfRevision?: string | undefined;
  /** Where the file may come from, as its manifest says; a bundle made of this store passes it on. */
  readonly sources?: readonly SourceSpec[] | undefined;
}

export interface StoredContent {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly cid?: string | undefined;
}

/**
 * Enters a blob of the store under a model, version and path, and shows it. All models share the one blob.
 *
 * @throws StorageError `unsafe-path` for a path that leaves the model or collides with another; `io` when the blob is gone
 */
export async function showContent(
  context: StoreContext,
  records: RecordStore,
  content: StoredContent,
  view: ViewRequest,
): Promise<void> {
  viewPath(context, view.model, view.path);
  const at = new Date(context.clock.now()).toISOString();
  const file = recordOf(content, view.sources, at);
  await records.change(async (before) => {
    await touchBlob(context, content.sha256);
    refuseCollision(before, view);
    const after = healed(addFiles(before, { ...view, files: new Map([[view.path, file]]) }), before, content.sha256);
    await relinkOtherViews(context, before, content.sha256);
    if (!becomesCurrent(after, view)) return after;
    const together = view.versionFileCount !== undefined && before.get(view.model)?.version !== view.version;
    await flipViews(context, after, view.model, view.version, together ? 'all' : 'only', view.path);
    return makeCurrent(after, view.model, view.version, at);
  });
}

/** A whole version at once; all its contents are in the store. */
export interface VersionRequest extends Pick<ViewRequest, 'model' | 'version' | 'type' | 'ipfsHash' | 'hfRevision'> {
  readonly files: readonly VersionFile[];
  /** False enters the version beside the one that is shown. */
  readonly show: boolean;
}

export interface VersionFile extends StoredContent {
  readonly path: string;
  readonly sources?: readonly SourceSpec[] | undefined;
}

/**
 * Enters all files of a version in one change of the records, and shows them together where `show` says so and no pinned version
 * is in the way.
 *
 * @returns whether the version is the one that is shown now
 * @throws StorageError `unsafe-path` for a path that leaves the model or collides with another; `io` when a blob is gone
 * @throws RangeError when the host has other content under a path of this version
 */
export async function showVersion(
  context: StoreContext,
  records: RecordStore,
  request: VersionRequest,
): Promise<boolean> {
  const { model, version } = request;
  const at = new Date(context.clock.now()).toISOString();
  const files = new Map(request.files.map((file) => [file.path, recordOf(file, file.sources, at)]));
  let isShown = false;
  await records.change(async (before) => {
    refuseOtherContent(before, request);
    refuseClashes(context, before, request);
    const contents = [...new Set(request.files.map(({ sha256 }) => sha256))];
    await mapConcurrently(contents, DISK_CALLS_AT_ONCE, (sha256) => touchBlob(context, sha256));
    let after = addFiles(before, { ...request, files });
    for (const sha256 of new Set(request.files.map((file) => file.sha256)))
      if (invalidUses(before, sha256).length > 0) {
        after = markContent(after, sha256, undefined);
        await relinkOtherViews(context, before, sha256);
      }
    const shown = after.get(model);
    isShown = shown?.version === version || (request.show && !isPinned(shown));
    if (!isShown) return after;
    await flipViews(context, after, model, version, 'all');
    return makeCurrent(after, model, version, at);
  });
  return isShown;
}

/** A version is immutable: what claims to be the same version with other content is another one. */
function refuseOtherContent(records: ModelRecords, { model, version, files }: VersionRequest): void {
  const here = records.get(model)?.versions.get(version)?.files;
  for (const { path, sha256 } of files) {
    const known = here?.get(path);
    if (known !== undefined && known.sha256 !== sha256)
      throw new RangeError(
        `${model}@${version} is on this host with other content: ${JSON.stringify(path)} has SHA-256 ${known.sha256}, not ${sha256}`,
      );
  }
}

function refuseClashes(context: StoreContext, records: ModelRecords, { model, version, files }: VersionRequest): void {
  const here = [...(records.get(model)?.versions.get(version)?.files.keys() ?? [])];
  const paths = new Set([...here, ...files.map(({ path }) => path)]);
  const seen = pathIndex();
  for (const path of paths) {
    viewPath(context, model, path);
    const other = seen.clashOf(path);
    if (other !== undefined)
      throw new StorageError('unsafe-path', path, `${model} ${version}: ${clashReason(path, other)}`);
    seen.add(path);
  }
}

const recordOf = (
  { sha256, sizeBytes, cid }: StoredContent,
  sources: readonly SourceSpec[] | undefined,
  publishedAt: string,
): FileRecord => ({
  ...{ sha256, sizeBytes },
  ...(cid === undefined ? {} : { cid }),
  ...(sources === undefined || sources.length === 0 ? {} : { sources }),
  publishedAt,
});

const isPinned = (model: ModelRecord | undefined): boolean => model?.versions.get(model.version ?? '')?.pinned === true;

/** Marks the blob as used now, so that a sweep in another process spares it. The mtime stays: it is the blob's identity. */
export async function touchBlob(context: StoreContext, sha256: string): Promise<void> {
  const blob = blobPath(context.paths, sha256);
  try {
    const stat = await context.fs.stat(blob);
    await context.fs.utimes(blob, new Date(context.clock.now()), stat.mtime);
  } catch (error) {
    throw StorageError.from(error, blob);
  }
}

function refuseCollision(records: ModelRecords, view: ViewRequest): void {
  const files = records.get(view.model)?.versions.get(view.version)?.files;
  if (files === undefined || files.has(view.path)) return;
  for (const other of files.keys())
    if (pathsCollide(other, view.path))
      throw new StorageError(
        'unsafe-path',
        view.path,
        `"${view.path}" and "${other}" of ${view.model} ${view.version} collide on a disk that folds case or Unicode; rename one`,
      );
}

/** A content that came back after a quarantine is valid again wherever it is used. */
function healed(after: ModelRecords, before: ModelRecords, sha256: string): ModelRecords {
  return invalidUses(before, sha256).length === 0 ? after : markContent(after, sha256, undefined);
}

async function relinkOtherViews(context: StoreContext, records: ModelRecords, sha256: string): Promise<void> {
  for (const { model, path } of invalidUses(records, sha256)) await linkView(context, sha256, model, path);
}

function invalidUses(records: ModelRecords, sha256: string): { model: string; path: string }[] {
  const uses: { model: string; path: string }[] = [];
  for (const [model, record] of records)
    for (const [path, file] of record.versions.get(record.version ?? '')?.files ?? [])
      if (file.sha256 === sha256 && file.invalid !== undefined) uses.push({ model, path });
  return uses;
}

/** A pinned model keeps its version; a version of several files waits for the last of them. */
function becomesCurrent(records: ModelRecords, view: ViewRequest): boolean {
  const model = records.get(view.model)!;
  if (model.version === view.version) return true;
  if (isPinned(model) || view.isHeld === true) return false;
  if (model.version === null) return true;
  const files = [...model.versions.get(view.version)!.files.values()];
  return files.filter((file) => file.invalid === undefined).length >= (view.versionFileCount ?? 0);
}

/**
 * Makes the views show one version. `only` touches one path and leaves the others; `all` also takes away what other versions
 * showed. Each view changes atomically; a crash in between is undone by `reconcileViews`, because the records still name the old version.
 */
export async function flipViews(
  context: StoreContext,
  records: ModelRecords,
  model: string,
  version: string,
  extent: 'all' | 'only',
  onlyPath?: string,
): Promise<void> {
  const record = records.get(model);
  const files = record?.versions.get(version)?.files ?? new Map<string, FileRecord>();
  const flipped = extent === 'all' ? [...files.keys()] : [onlyPath!];
  const others = [...pathsOf(record)].filter((path) => !files.has(path));
  await unlinkClashing(context, model, others, flipped);
  const links = flipped.flatMap((path) => {
    const file = files.get(path);
    return file === undefined || file.invalid !== undefined ? [] : [{ path, sha256: file.sha256 }];
  });
  await linkViews(context, model, links);
  if (extent === 'all') for (const path of others) await unlinkView(context, model, path);
}

/**
 * Brings the views back to what the records say: after a crash between a view and the records, after a view was deleted.
 * A blob that is gone is left to the check that finds it.
 */
export async function reconcileViews(context: StoreContext, records: RecordStore): Promise<void> {
  await records.change(async (found) => {
    for (const [model, record] of found) {
      const files = record.versions.get(record.version ?? '')?.files ?? new Map<string, FileRecord>();
      const others = [...pathsOf(record)].filter((path) => !files.has(path));
      const links: { path: string; sha256: string }[] = [];
      await mapConcurrently([...files], DISK_CALLS_AT_ONCE, async ([path, { sha256, invalid }]) => {
        if (invalid !== undefined) return;
        if ((await ifPresent(context.fs.stat(blobPath(context.paths, sha256)))) !== undefined)
          links.push({ path, sha256 });
      });
      const wanted = links.map(({ path }) => path);
      await unlinkClashing(context, model, others, wanted);
      await linkViews(context, model, links);
    }
    return found;
  });
}

/** Views of other versions that stand where the wanted ones belong. */
async function unlinkClashing(
  context: StoreContext,
  model: string,
  others: readonly string[],
  wanted: readonly string[],
): Promise<void> {
  const taken = pathIndex(wanted);
  for (const path of others) if (taken.clashOf(path) !== undefined) await unlinkView(context, model, path);
}
