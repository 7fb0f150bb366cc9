import { resolve } from 'node:path';
import { canonicalCid } from '#content/cid/canonical-cid';
import { verifyLeaf } from '#content/leaf/leaf-block';
import { decodeLeafTable } from '#content/leaf/leaf-table-file';
import type { ByteRange } from '#core/bytes/byte-range';
import { silentLogger, type Logger } from '#core/logger';
import { systemClock, type Clock } from '#os/clock';
import type { LeasePartialOptions, PartialOutcome } from '#os/lease/leased-partial';
import type { CheckOptions } from './blobs/check-blob.ts';
import type { LeafReader, LinkMode, StoreContext, StoreNotice } from './context.ts';
import { freeBytes } from '#os/disk-space';
import { badRanges } from './upkeep/bad-leaves.ts';
import { contentOf, find, type FindSpec } from './blobs/find.ts';
import { lookAtBlob, type SeenBlob } from './blobs/look.ts';
import { inventory, type Inventory } from './inventory.ts';
import { prepareLayout, storePaths, type StorePaths } from './layout.ts';
import { readLeaves, writeLeaves, type LeafFiles } from './blobs/leaf-files.ts';
import {
  reconcileViews,
  showContent,
  showVersion,
  touchBlob,
  type StoredContent,
  type VersionRequest,
  type ViewRequest,
} from './models/model-views.ts';
import type { ModelRecords } from './models/model-records.ts';
import { relatedFiles, type RelatedContent } from './models/related-files.ts';
import { leaseContent } from './blobs/partial-lease.ts';
import { publish, type PublishedBlob, type PublishRequest } from './blobs/publish.ts';
import type { PublishStep } from './blobs/publish-steps.ts';
import { repairCandidate } from './upkeep/quarantine.ts';
import { repairCandidateOf, type Repair } from './upkeep/repair.ts';
import { recordStore } from './models/record-store.ts';
import { rollingVerify, type RollingVerify, type RollingVerifyOptions } from './upkeep/rolling-verify.ts';
import { nodeFiles, type FileCalls } from '#os/file-calls';
import { sweep, type SweepReport } from './upkeep/sweep.ts';
import type { SweepLimits } from './upkeep/sweep-plan.ts';
import { takeContent, type LocalContent } from './blobs/take-content.ts';
import { unpack, type Unpacked, type UnpackRequest } from './blobs/unpack.ts';
import { viewWatch, type ViewWatch, type ViewWatchOptions } from './upkeep/view-watch.ts';
import { verify, type VerifyOptions, type VerifyReport } from './upkeep/verify.ts';
import { activateVersion, pinVersion, rollback } from './models/versions.ts';

export interface StoreOptions {
  /** HAULIER_HOME. */
  readonly home: string;
  readonly linkMode?: LinkMode | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  readonly fs?: FileCalls | undefined;
  readonly leaves?: LeafReader | undefined;
  readonly canonicalCid?: ((cid: string) => string) | undefined;
  readonly onNotice?: ((notice: StoreNotice) => void) | undefined;
  readonly onStep?: ((step: PublishStep) => void | Promise<void>) | undefined;
}

/** One host's store. Every method rejects with StorageError when the disk refuses. */
export interface Store {
  readonly paths: StorePaths;
  publish(request: PublishRequest): Promise<PublishedBlob>;
  /** Copies content of this machine into the store, proven, under no name of a model. */
  takeContent(content: LocalContent): Promise<PublishedBlob>;
  /** The layer `cache`: only content that passed the check is returned. */
  find(spec: FindSpec, options?: Pick<CheckOptions, 'depth' | 'pace'>): Promise<PublishedBlob | undefined>;
  /** SHA-256 of the content with this CID or digest; undefined when the store never had it under that name. */
  contentOf(spec: FindSpec): Promise<string | undefined>;
  /** What is known of a blob without reading its bytes; undefined when it is not here. */
  look(sha256: string): Promise<SeenBlob | undefined>;
  /** Counts as a use of the content: the sweep evicts the least recently used first. */
  touch(sha256: string): Promise<void>;
  /** Shows a blob that is already stored under one more model, version or path. */
  ensureView(content: StoredContent, view: ViewRequest): Promise<void>;
  /** Enters and shows a whole version whose contents are here. @returns whether it is shown now */
  showVersion(request: VersionRequest): Promise<boolean>;
  /** Decompresses a published archive; all declared results are published, or none. */
  unpack(request: UnpackRequest): Promise<Unpacked>;
  /** The newest quarantined file of this content, as salvage input of a transfer. */
  repairCandidate(sha256: string): Promise<string | undefined>;
  /** The same for a file known by any of its names, with the CID whose leaf table tells good leaves from bad. */
  repairOf(spec: FindSpec): Promise<Repair | undefined>;
  /** Files of other versions of the model, which may have leaves of this file. */
  relatedFiles(wanted: {
    readonly model: string;
    readonly version: string;
    readonly path: string;
  }): Promise<readonly RelatedContent[]>;
  /** Leaf table and inner nodes of a CID: what the store has of them, and a way to keep them before the file is here. */
  readLeaves(cid: string): Promise<LeafFiles>;
  writeLeaves(cid: string, files: LeafFiles): Promise<void>;
  /** Which bytes of a file are wrong, by the leaf table of its CID; undefined when none is known. */
  badRanges(path: string, cid: string): Promise<readonly ByteRange[] | undefined>;
  /** The right to write this content's partial, or what another process published meanwhile. */
  leaseContent<Found>(key: string, options: LeasePartialOptions<Found>): Promise<PartialOutcome<Found>>;
  /** Hashes everything, or one model; wrong content is quarantined. */
  verify(options?: VerifyOptions): Promise<VerifyReport>;
  /** The same in the background, within a budget of disk reads. */
  rollingVerify(options?: RollingVerifyOptions): RollingVerify;
  /** Notices in the background what other programs do to the views, and repairs what the store can. */
  viewWatch(options?: ViewWatchOptions): ViewWatch;
  inventory(): Promise<Inventory>;
  sweep(options?: Partial<SweepLimits> & { readonly dryRun?: boolean }): Promise<SweepReport>;
  /** @throws RangeError when the host has no such model or version; so do the next two */
  pin(model: string, pinned: boolean, version?: string): Promise<void>;
  activate(model: string, version: string): Promise<void>;
  /** @returns the version that is shown now */
  rollback(model: string): Promise<string>;
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
    takeContent: (content) => takeContent(context, records, content),
    find: (spec, how) => find(context, records, spec, how),
    contentOf: (spec) => contentOf(context, records, spec),
    look: (sha256) => lookAtBlob(context, sha256),
    touch: (sha256) => touchBlob(context, sha256),
    ensureView: (content, view) => showContent(context, records, content, view),
    showVersion: (request) => showVersion(context, records, request),
    unpack: (request) => unpack(context, records, request),
    repairCandidate: (sha256) => repairCandidate(context, sha256),
    repairOf: (spec) => repairCandidateOf(context, records, spec),
    relatedFiles: (wanted) => relatedFiles(context, records, wanted),
    readLeaves: (cid) => readLeaves(context, cid),
    writeLeaves: (cid, files) => writeLeaves(context, cid, files),
    badRanges: (path, cid) => badRanges(context, path, cid),
    leaseContent: (key, how) => leaseContent(context, key, how),
    verify: (how) => verify(context, records, how),
    rollingVerify: (how) => rollingVerify(context, records, how),
    viewWatch: (how) => viewWatch(context, records, how),
    inventory: () => inventory(context, records),
    sweep: (how) => sweep(context, records, how),
    pin: (model, pinned, version) => pinVersion(records, model, pinned, version),
    activate: (model, version) => activateVersion(context, records, model, version),
    rollback: (model) => rollback(context, records, model),
    records: () => records.read(),
    freeBytes: () => freeBytes(context.paths.home, context.fs),
  };
}

function contextOf(options: StoreOptions): StoreContext {
  return {
    paths: storePaths(resolve(options.home)),
    fs: options.fs ?? nodeFiles,
    clock: options.clock ?? systemClock,
    logger: options.logger ?? silentLogger,
    linkMode: options.linkMode ?? 'auto',
    leaves: options.leaves ?? { decode: decodeLeafTable, matches: verifyLeaf },
    canonicalCid: options.canonicalCid ?? canonicalCid,
    onNotice: options.onNotice ?? (() => undefined),
    onStep: options.onStep ?? (() => undefined),
    provenThisRun: new Set(),
  };
}
