import type { Stats } from 'node:fs';
import { dirname } from 'node:path';
import { mapConcurrently } from '#core/async/map-concurrently';
import { ifPresent } from '#os/if-present';
import { syncFolder } from '#os/sync';
import { unlinkIfPresent } from '#os/write-file';
import { readFacts } from '../blobs/blob-facts.ts';
import { checkBlob, hashFile } from '../blobs/check-blob.ts';
import type { StoreContext } from '../context.ts';
import { blobPath } from '../layout.ts';
import { filesOf } from '../models/model-records.ts';
import type { RecordStore } from '../models/record-store.ts';
import { DISK_CALLS_AT_ONCE, linkView, showsBlob, viewPath } from '../models/view-link.ts';
import { quarantineBlob } from './quarantine.ts';

/** How each view was when it was last found right: a view that looks the same is not looked at again. */
export type SeenViews = Map<string, string>;

export interface ViewsReport {
  /** Every view that the records want now. */
  readonly views: readonly string[];
  /** Views that were deleted or replaced, and are shown again from the store. */
  readonly shownAgain: readonly string[];
  /** Contents that are gone or damaged; they were taken out of the records. */
  readonly lost: readonly string[];
}

interface ShownFile {
  readonly model: string;
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly view: string;
}

/**
 * Looks at every view of a current version, by one `lstat` each. What changed since it was found right is checked: content that is gone or
 * damaged is quarantined, so that it is fetched again; a view that no longer shows its content is made again.
 *
 * Content is hashed only where size, mtime or inode differ from its last proof.
 *
 * @param only looks only at these views, and at those below these folders
 * @throws StorageError; the signal's reason
 */
export async function checkViews(
  context: StoreContext,
  records: RecordStore,
  seen: SeenViews,
  options: { readonly only?: ReadonlySet<string>; readonly signal: AbortSignal },
): Promise<ViewsReport> {
  const shown = await shownFiles(context, records);
  const { only } = options;
  const looked = only === undefined ? shown : shown.filter(({ view }) => isAtOrBelow(context, view, only));
  const suspects: ShownFile[] = [];
  await mapConcurrently(looked, DISK_CALLS_AT_ONCE, async (file) => {
    const look = await lookOf(context, file.view);
    if (look === undefined || seen.get(file.view) !== look) suspects.push(file);
  });
  const lost = new Set<string>();
  const wrong: ShownFile[] = [];
  for (const file of suspects) {
    options.signal.throwIfAborted();
    const look = await lookOf(context, file.view);
    if (lost.has(file.sha256)) continue;
    if (!(await isContentRight(context, records, file, options.signal))) lost.add(file.sha256);
    else if (!(await showsBlob(context, blobPath(context.paths, file.sha256), file.view))) wrong.push(file);
    else if (look !== undefined) seen.set(file.view, look);
  }
  const shownAgain = wrong.length === 0 ? [] : await showAgain(context, records, wrong);
  if (options.only === undefined) forgetOthers(seen, shown);
  return { views: shown.map(({ view }) => view), shownAgain, lost: [...lost] };
}

function isAtOrBelow({ paths }: StoreContext, view: string, places: ReadonlySet<string>): boolean {
  for (let place = view; place.length > paths.models.length; place = dirname(place)) if (places.has(place)) return true;
  return false;
}

async function shownFiles(context: StoreContext, records: RecordStore): Promise<ShownFile[]> {
  return [...filesOf(await records.read())].flatMap(({ model, path, file, current }) =>
    current && file.invalid === undefined
      ? [{ model, path, sha256: file.sha256, sizeBytes: file.sizeBytes, view: viewPath(context, model, path) }]
      : [],
  );
}

/** Changes when the view is replaced or written to, and when another link to its content comes or goes. */
async function lookOf(context: StoreContext, view: string): Promise<string | undefined> {
  const link = await ifPresent(context.fs.lstat(view));
  const target = link?.isSymbolicLink() === true ? await ifPresent(context.fs.stat(view)) : link;
  return target === undefined ? undefined : lookText(target);
}

const lookText = ({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string => [dev, ino, size, mtimeMs, ctimeMs].join(' ');

/** A blob as it was at its last proof is trusted; any other is hashed, and quarantined when it is wrong. */
async function isContentRight(
  context: StoreContext,
  records: RecordStore,
  file: ShownFile,
  signal: AbortSignal,
): Promise<boolean> {
  const { sha256 } = file;
  const stat = await ifPresent(context.fs.stat(blobPath(context.paths, sha256)));
  const facts = await readFacts(context, sha256);
  const isUnchanged =
    stat !== undefined &&
    facts !== undefined &&
    stat.size === facts.sizeBytes &&
    stat.ino === facts.inode &&
    Math.abs(stat.mtimeMs - facts.mtimeMs) < MTIME_TOLERANCE_MS;
  if (isUnchanged) return true;
  const pace = (): void => signal.throwIfAborted();
  if (stat === undefined && (await isRestored(context, file, pace))) return true;
  const { sizeBytes, path } = file;
  const check = await checkBlob(context, sha256, { depth: 'full', sizeBytes, path, pace });
  if (check.state === 'valid') return true;
  await quarantineBlob(context, records, sha256, check);
  return false;
}

/** A blob that was deleted is linked again from a view that still has its content. @returns false where no view does */
async function isRestored(
  context: StoreContext,
  { model, path, sha256, view }: ShownFile,
  pace: () => void,
): Promise<boolean> {
  if ((await ifPresent(hashFile(context, view, pace))) !== sha256) return false;
  const blob = blobPath(context.paths, sha256);
  try {
    await context.fs.mkdir(dirname(blob), { recursive: true, mode: 0o755 });
    await context.fs.link(view, blob);
    await syncFolder(context.fs, dirname(blob));
  } catch (err) {
    context.logger.debug({ view, err }, 'content cannot be linked again from its view');
    return false;
  }
  const message = 'its content was deleted from the store, and is kept again from the file that applications see';
  context.onNotice({ notice: 'repaired', sha256, views: [{ model, path }], message });
  return true;
}

/** A mtime may be rounded where the facts are written. */
const MTIME_TOLERANCE_MS = 2;

/** Makes views again under the lock of the records, which may want other content by then. */
async function showAgain(context: StoreContext, records: RecordStore, wrong: readonly ShownFile[]): Promise<string[]> {
  const done: ShownFile[] = [];
  await records.change(async (found) => {
    const wanted = new Set(
      [...filesOf(found)].flatMap(({ model, path, file, current }) =>
        current && file.invalid === undefined ? [`${viewPath(context, model, path)}\n${file.sha256}`] : [],
      ),
    );
    for (const file of wrong) {
      const { model, path, sha256, view } = file;
      const blob = blobPath(context.paths, sha256);
      if (!wanted.has(`${view}\n${sha256}`) || (await showsBlob(context, blob, view))) continue;
      if ((await ifPresent(context.fs.stat(blob))) === undefined) continue; // the next look finds that it is gone
      await unlinkIfPresent(context.fs, view);
      await linkView(context, sha256, model, path);
      done.push(file);
    }
    return found;
  });
  tell(context, done);
  return done.map(({ view }) => view);
}

const MOST_NAMED = 5;

/** One notice for each file, or for a model where many changed at once. */
function tell(context: StoreContext, done: readonly ShownFile[]): void {
  for (const model of new Set(done.map((file) => file.model))) {
    const files = done.filter((file) => file.model === model);
    const message =
      files.length > MOST_NAMED
        ? `${files.length} files were deleted or replaced on the host, and are shown again from its store`
        : 'it was deleted or replaced on the host, and is shown again from its store';
    const views = files.length > MOST_NAMED ? [{ model, path: null }] : files.map(({ path }) => ({ model, path }));
    context.onNotice({ notice: 'repaired', sha256: null, views, message });
  }
}

function forgetOthers(seen: SeenViews, shown: readonly ShownFile[]): void {
  if (seen.size <= shown.length) return;
  const wanted = new Set(shown.map(({ view }) => view));
  for (const view of seen.keys()) if (!wanted.has(view)) seen.delete(view);
}
