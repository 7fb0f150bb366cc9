import { dirname, join } from 'node:path';
import { codeOf } from '#core/error-facts';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import { ifPresent } from '#os/if-present';
import { watchFolder, type FolderWatch } from '#os/watch-folder';
import type { StoreContext } from '../context.ts';
import type { RecordStore } from '../models/record-store.ts';
import { checkViews, type SeenViews } from './check-views.ts';

export interface ViewWatchOptions {
  /** Every view is looked at this often, whatever the system reports; milliseconds, default 30 s. */
  readonly everyMs?: number | undefined;
  /** False where only the regular look is wanted. */
  readonly usesSystemWatch?: boolean | undefined;
  /** Called when the records of the models were deleted: the store does not know any more what it has. */
  readonly onRecordsLost?: (() => void) | undefined;
}

export interface ViewWatch {
  start(): void;
  /** Safe twice and before start; resolves when the disk is left alone. */
  stop(): Promise<void>;
}

const EVERY_MS = MINUTE_MS / 2;
/** Changes within this time are looked at together; milliseconds. */
const GATHER_MS = SECOND_MS / 4;
/** A look may take up to this share of the time: a folder that changes all the time is looked at less often. */
const MOST_SHARE = 0.02;
/** Systems allow a user some ten thousand watches; other programs need theirs. */
const MAX_FOLDERS = 2000;

/**
 * Watches what applications see of the models. A file that is deleted, replaced or changed is noticed at once where the system reports it, and
 * at the next regular look otherwise.
 */
export function viewWatch(context: StoreContext, records: RecordStore, options: ViewWatchOptions = {}): ViewWatch {
  return new Watch(context, records, options);
}

interface WatchedFolder {
  readonly watch: FolderWatch;
  readonly inode: number;
}

class Watch implements ViewWatch {
  readonly #context: StoreContext;
  readonly #records: RecordStore;
  readonly #options: ViewWatchOptions;
  readonly #seen: SeenViews = new Map();
  readonly #folders = new Map<string, WatchedFolder>();
  readonly #stopping = new AbortController();
  /** Views that the system reported; undefined stands for all. */
  #changed: Set<string> | undefined = new Set();
  #hadModels = false;
  #toldOfLimit = false;
  #timer: NodeJS.Timeout | undefined;
  #wakeAt = Infinity;
  /** No look before this moment, so that looks take at most their share. */
  #notBefore = 0;
  #nextFull = 0;
  #looking: Promise<void> | undefined;

  constructor(context: StoreContext, records: RecordStore, options: ViewWatchOptions) {
    this.#context = context;
    this.#records = records;
    this.#options = options;
  }

  start(): void {
    this.#wakeIn(0);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    for (const { watch } of this.#folders.values()) watch.close();
    this.#folders.clear();
    await this.#looking;
  }

  #wakeIn(ms: number): void {
    if (this.#stopping.signal.aborted) return;
    const at = Math.max(performance.now() + ms, this.#notBefore);
    if (this.#wakeAt <= at) return;
    clearTimeout(this.#timer);
    this.#wakeAt = at;
    this.#timer = setTimeout(() => this.#wake(), Math.max(0, at - performance.now()));
    this.#timer.unref();
  }

  #wake(): void {
    this.#wakeAt = Infinity;
    if (this.#looking !== undefined) return this.#wakeIn(GATHER_MS);
    const startedAt = performance.now();
    this.#looking = this.#look()
      .catch((err: unknown) => {
        if (!this.#stopping.signal.aborted) this.#context.logger.warn({ err }, 'views could not be checked');
      })
      .finally(() => {
        this.#looking = undefined;
        const now = performance.now();
        this.#notBefore = now + (now - startedAt) / MOST_SHARE;
        if (this.#changed === undefined || this.#changed.size > 0) this.#wakeIn(GATHER_MS);
        this.#wakeIn(Math.max(0, this.#nextFull - now));
      });
  }

  async #look(): Promise<void> {
    const { signal } = this.#stopping;
    const changed = this.#changed;
    this.#changed = new Set();
    const isFull = changed === undefined || performance.now() >= this.#nextFull;
    if (isFull) this.#nextFull = performance.now() + (this.#options.everyMs ?? EVERY_MS);
    const only = isFull ? {} : { only: changed };
    const report = await checkViews(this.#context, this.#records, this.#seen, { ...only, signal });
    const { shownAgain, lost } = report;
    if (shownAgain.length + lost.length > 0)
      this.#context.logger.warn({ shownAgain: shownAgain.length, lost: lost.length }, 'published files had changed');
    if (this.#hadModels && report.views.length === 0) await this.#noticeLostRecords();
    this.#hadModels = report.views.length > 0;
    if (isFull && this.#options.usesSystemWatch !== false) await this.#watchFolders(report.views);
  }

  async #noticeLostRecords(): Promise<void> {
    const { fs, paths } = this.#context;
    if ((await ifPresent(fs.stat(paths.manifests))) === undefined) this.#options.onRecordsLost?.();
  }

  /** The folders of the views, and that of the records. A folder that was made again needs a watch of its own. */
  async #watchFolders(views: readonly string[]): Promise<void> {
    const wanted = new Set([this.#context.paths.models, ...views.map((view) => dirname(view))]);
    for (const [folder, { watch }] of this.#folders)
      if (!wanted.has(folder)) {
        watch.close();
        this.#folders.delete(folder);
      }
    for (const folder of [...wanted].slice(0, MAX_FOLDERS)) await this.#watchFolder(folder);
    if (wanted.size > MAX_FOLDERS) this.#tellOfLimit(`${wanted.size} folders are too many to watch`);
  }

  async #watchFolder(folder: string): Promise<void> {
    const inode = (await ifPresent(this.#context.fs.stat(folder)))?.ino;
    const known = this.#folders.get(folder);
    if (known !== undefined && known.inode === inode) return;
    known?.watch.close();
    this.#folders.delete(folder);
    if (inode === undefined || this.#stopping.signal.aborted) return;
    const watch = watchFolder(
      folder,
      (name) => this.#reported(name === undefined ? undefined : join(folder, name)),
      (error) => {
        this.#folders.delete(folder);
        this.#tellOfLimit(codeOf(error));
      },
    );
    if (watch !== undefined) this.#folders.set(folder, { watch, inode });
  }

  #reported(path: string | undefined): void {
    if (path === undefined) this.#changed = undefined;
    else this.#changed?.add(path);
    this.#wakeIn(GATHER_MS);
  }

  #tellOfLimit(reason: string): void {
    if (this.#toldOfLimit) return;
    this.#toldOfLimit = true;
    const everyMs = this.#options.everyMs ?? EVERY_MS;
    this.#context.logger.info({ reason, everyMs }, 'not every folder is watched; all are looked at regularly');
  }
}
