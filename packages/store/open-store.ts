import { resolve } from 'node:path';
import { silentLogger, type Logger } from '#core/logger';
import { systemClock, type Clock } from './clock.ts';
import type { CheckOptions } from './check-blob.ts';
import type { LeafReader, LinkMode, StoreContext, StoreNotice } from './context.ts';
import { freeBytes } from './disk-space.ts';
import { find, type FindSpec } from './find.ts';
import { prepareLayout, storePaths, type StorePaths } from './layout.ts';
import { reconcileViews, showContent, type StoredContent, type ViewRequest } from './model-views.ts';
import type { ModelRecords } from './model-records.ts';
import { publish, type PublishedBlob, type PublishRequest } from './publish.ts';
import type { PublishStep } from './publish-steps.ts';
import { repairCandidate } from './quarantine.ts';
import { recordStore } from './record-store.ts';
import { nodeFs, type StoreFs } from './store-fs.ts';

export interface StoreOptions {
  /** HAULIER_HOME. */
  readonly home: string;
  readonly linkMode?: LinkMode | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  readonly fs?: StoreFs | undefined;
  readonly leaves?: LeafReader | undefined;
  readonly canonicalCid?: ((cid: string) => string) | undefined;
  readonly onNotice?: ((notice: StoreNotice) => void) | undefined;
  readonly onStep?: ((step: PublishStep) => void | Promise<void>) | undefined;
}

/** One host's store. Every method rejects with StorageError when the disk refuses. */
export interface Store {
  readonly paths: StorePaths;
  publish(request: PublishRequest): Promise<PublishedBlob>;
  /** The layer `cache`: only what passed the check of CH4 is returned. */
  find(spec: FindSpec, options?: Pick<CheckOptions, 'depth' | 'pace'>): Promise<PublishedBlob | undefined>;
  /** Shows a blob that is already stored under one more model, version or path. */
  ensureView(content: StoredContent, view: ViewRequest): Promise<void>;
  /** The newest quarantined file of this content, as salvage input of a transfer. */
  repairCandidate(sha256: string): Promise<string | undefined>;
  records(): Promise<ModelRecords>;
  freeBytes(): Promise<number>;
}

/**
 * Opens a store: makes or migrates its folders, and undoes what a crash left half done.
 *
 * @throws StorageError `newer-layout` when a newer program wrote it
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const context = contextOf(options);
  await prepareLayout(context.fs, context.paths);
  const records = recordStore(context);
  await reconcileViews(context, records);
  return {
    paths: context.paths,
    publish: (request) => publish(context, records, request),
    find: (spec, how) => find(context, records, spec, how),
    ensureView: (content, view) => showContent(context, records, content, view),
    repairCandidate: (sha256) => repairCandidate(context, sha256),
    records: () => records.read(),
    freeBytes: () => freeBytes(context.paths.home, context.fs),
  };
}

function contextOf(options: StoreOptions): StoreContext {
  return {
    paths: storePaths(resolve(options.home)),
    fs: options.fs ?? nodeFs,
    clock: options.clock ?? systemClock,
    logger: options.logger ?? silentLogger,
    linkMode: options.linkMode ?? 'auto',
    leaves: options.leaves,
    canonicalCid: options.canonicalCid ?? ((cid) => cid),
    onNotice: options.onNotice ?? (() => undefined),
    onStep: options.onStep ?? (() => undefined),
    provenThisRun: new Set(),
  };
}
