import {
  INVENTORY_PAGE_ENTRIES,
  type HostFacts,
  type InventoryEventEntry,
  type WorkerEvent,
  type ReportedSource,
} from '#contracts/worker/worker-events';
import type { Logger } from '#core/logger';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '#core/units';
import type { Inventory } from '#store/inventory';
import type { Store } from '#store/open-store';

export interface InventoryReporterOptions {
  readonly store: Pick<Store, 'inventory' | 'freeBytes' | 'paths'>;
  readonly publish: (event: WorkerEvent) => void;
  /** Resolves when everything published is acknowledged. */
  readonly flush: (signal?: AbortSignal) => Promise<void>;
  readonly workerVersion: string;
  /** Of the worker's configuration. */
  readonly labels: Readonly<Record<string, string>>;
  /** What is known of the sources now. */
  readonly readSources?: (() => ReportedSource[]) | undefined;
  readonly readFacts: () => Promise<HostFacts>;
  readonly logger: Logger;
  readonly everyMs?: number;
  /** Changes within this time are reported together; milliseconds. */
  readonly gatherMs?: number;
  /** The whole list is published again after this long without a change; milliseconds. */
  readonly fullEveryMs?: number;
}

const FULL_EVERY_MS = 6 * HOUR_MS;

/**
 * Publishes the inventory of this host: a short report every minute and after each change, and the whole list when it differs
 * from the last one. The list corrects the rows in Postgres after lost events and after damage on disk.
 */
export class InventoryReporter {
  readonly #options: InventoryReporterOptions;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Infinity;
  #reporting = false;
  #started = false;
  #urgent = false;
  #told: { readonly digest: string; readonly at: number } | undefined;

  constructor(options: InventoryReporterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#started = true;
    this.#reportIn(0);
  }

  /**
   * Reports a change of the store soon.
   *
   * @param urgent publishes the whole list at once; otherwise at most once a minute
   */
  nudge(urgent = false): void {
    this.#urgent ||= urgent;
    if (this.#started) this.#reportIn(this.#options.gatherMs ?? SECOND_MS);
  }

  /** Safe twice and before start. */
  stop(): void {
    this.#stopping.abort();
    clearTimeout(this.#timer);
  }

  #reportIn(ms: number): void {
    const dueAt = performance.now() + ms;
    if (this.#stopping.signal.aborted || this.#dueAt <= dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => this.#due(), ms);
  }

  #due(): void {
    this.#dueAt = Infinity;
    if (this.#reporting) return this.#reportIn(this.#options.gatherMs ?? SECOND_MS);
    this.#reporting = true;
    void this.#report()
      .catch((err: unknown) => {
        if (!this.#stopping.signal.aborted) this.#options.logger.warn({ err }, 'inventory could not be reported');
      })
      .finally(() => {
        this.#reporting = false;
        this.#reportIn(this.#options.everyMs ?? MINUTE_MS);
      });
  }

  async #report(): Promise<void> {
    const { store, publish, workerVersion, everyMs = MINUTE_MS, fullEveryMs = FULL_EVERY_MS } = this.#options;
    const at = Date.now();
    const inventory = await store.inventory();
    const { digest, storeBytes, fileCount } = inventory;
    const freeBytes = Math.max(0, Math.floor(await store.freeBytes()));
    const { labels, readFacts } = this.#options;
    const facts = await readFacts();
    const sources = this.#options.readSources?.();
    const told = { inventoryDigest: digest, storeBytes, freeBytes, fileCount, workerVersion, labels, facts, sources };
    publish({ type: 'host.report', at, ...told });
    const isSame = this.#told?.digest === digest;
    // A file that is lost again soon after its repair leaves the same list as before: the repair was not in a list of its own.
    const waitMs = this.#urgent ? 0 : isSame ? fullEveryMs : everyMs;
    if (this.#told !== undefined && at - this.#told.at < waitMs) return;
    this.#urgent = false;
    await this.#tellAll(inventory, at);
    this.#told = { digest, at };
  }

  /** One page at a time, so that a large inventory leaves room for other events in the buffer. */
  async #tellAll(inventory: Inventory, at: number): Promise<void> {
    const { store, publish, flush } = this.#options;
    const pages = Math.max(1, Math.ceil(inventory.entries.length / INVENTORY_PAGE_ENTRIES));
    const modelsFolder = store.paths.models;
    for (let page = 0; page < pages; page += 1) {
      const from = page * INVENTORY_PAGE_ENTRIES;
      const entries = inventory.entries.slice(from, from + INVENTORY_PAGE_ENTRIES).map(toEntry);
      publish({ type: 'host.inventory', at, digest: inventory.digest, page, pages, modelsFolder, entries });
      await flush(this.#stopping.signal);
    }
  }
}

const toEntry = ({
  sha256,
  sizeBytes,
  cid,
  model,
  version,
  path,
  state,
}: Inventory['entries'][number]): InventoryEventEntry => ({ sha256, sizeBytes, cid, model, version, path, state });

const REMOVES: ReadonlySet<string> = new Set(['missing', 'corrupt', 'evicted']);

/** @returns the change of the store that an event stands for, if any */
export function storeChange(event: WorkerEvent): 'added' | 'removed' | undefined {
  if (event.type === 'download.finished') return 'added';
  return event.type === 'host.notice' && REMOVES.has(event.notice) ? 'removed' : undefined;
}
