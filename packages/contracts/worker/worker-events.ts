import { z } from 'zod';
import { HOST_NAME, HOST_NAME_RULE } from '#core/text/host-name';
import { LAYER_NAMES, OUTCOMES, SOURCE_KINDS } from '#core/layer';
import { replaceUnshowable } from '#core/text/unshowable';
import { Labels } from '../labels.ts';
import { ModelName, ModelVersion } from '../manifest.ts';
import { CommandName } from './commands-file.ts';

const At = z.number().int().describe("milliseconds since 1970, the worker's clock");
const Count = z.number().int().min(0);

/** Text of a source or of an error, which may be hostile. */
const text = (maxChars: number) =>
  z
    .string()
    .max(maxChars)
    .transform((words) => replaceUnshowable(words, ' '));

const OfDownload = { downloadId: z.uuid(), generation: z.number().int().min(1), at: At };

const SourceBytes = z.strictObject({
  source: text(200),
  layer: z.enum(LAYER_NAMES),
  bytes: Count,
  wastedBytes: Count,
  badLeaves: Count,
  errors: Count,
});

/** A worker took the job: the first attempt, or a later one. */
export const DownloadStarted = z.strictObject({
  ...OfDownload,
  type: z.literal('download.started'),
  attempt: z.number().int().min(1),
  /** Verified bytes found on disk: the exact resume point. */
  resumedBytes: Count,
});

/** Sent for all running downloads of a worker together, once a second. Also the heartbeat. */
export const DownloadProgress = z.strictObject({
  ...OfDownload,
  type: z.literal('download.progress'),
  committedBytes: Count,
  totalBytes: Count.nullable(),
  bytesPerSecond: Count,
  /** The source that gave most of the last second. */
  source: text(200).nullable(),
  /** Where that source belongs; left out by earlier workers, and without a source. */
  from: z.strictObject({ layer: z.enum(LAYER_NAMES), kind: z.enum(SOURCE_KINDS), origin: text(300) }).optional(),
  retries: Count,
});

/** One try at one source ended: a row of the attempt history. */
export const TryFinished = z.strictObject({
  ...OfDownload,
  type: z.literal('try.finished'),
  attempt: z.number().int().min(1),
  sequence: Count.describe('position among the tries of this attempt; with the attempt it makes a repeat harmless'),
  layer: z.enum(LAYER_NAMES),
  kind: z.enum(SOURCE_KINDS),
  source: text(200),
  status: z.enum(['success', 'failure']),
  /** Time to the end of the try. */
  latencyMs: Count,
  /** Received, whether they were kept or not. */
  bytes: Count,
  /** Kept; left out by earlier workers. */
  committedBytes: Count.optional(),
  /** Scheme, host and port of the source, or its path; left out by earlier workers. */
  origin: text(300).optional(),
  errorKind: text(40).nullable(),
  errorMessage: text(500).nullable(),
  /** What `decide` and `rank` said, and why. */
  reason: text(300).nullable(),
});

/** The attempt ended without the file: put back, waiting or paused; nothing is lost. */
export const DownloadInterrupted = z.strictObject({
  ...OfDownload,
  type: z.literal('download.interrupted'),
  reason: z.enum(['worker_shutdown', 'disk_full', 'sources_unavailable', 'retry', 'requested']),
  message: text(1000),
  committedBytes: Count,
  /** When the worker itself will try again. */
  retryAt: At.nullable(),
});

/** The file is published and verified. */
export const DownloadFinished = z.strictObject({
  ...OfDownload,
  type: z.literal('download.finished'),
  outcome: z.enum(OUTCOMES),
  sizeBytes: Count,
  sha256: z.string(),
  cid: z.string().nullable(),
  /** False when nothing proved the bytes and the request allowed that. */
  verified: z.boolean(),
  /** Where the file is on its host. */
  path: z.string().max(4096),
  durationMs: Count,
  resumedBytes: Count,
  wastedBytes: Count,
  sources: z.array(SourceBytes).max(64),
});

/** Every source failed, or the content itself is wrong. */
export const DownloadFailed = z.strictObject({
  ...OfDownload,
  type: z.literal('download.failed'),
  outcome: z.enum(OUTCOMES).nullable(),
  errorKind: text(40),
  message: text(4000),
  committedBytes: Count,
  sources: z.array(SourceBytes).max(64),
});

/** A notice of a host, such as a published file that was quarantined. */
export const HostNotice = z.strictObject({
  type: z.literal('host.notice'),
  at: At,
  notice: z.enum([
    ...(['missing', 'corrupt', 'repaired', 'store_over_limit', 'newer_version', 'degraded', 'evicted'] as const),
    'second_worker',
  ]),
  model: text(100).nullable(),
  path: z.string().max(4096).nullable(),
  message: text(1000),
  facts: z.record(z.string().max(60), z.union([text(500), z.number(), z.boolean(), z.null()])).default({}),
});

/** What the worker found out about its host. Selectors match them as labels (`packages/core/selector/host-labels.ts`). */
export const HostFacts = z.strictObject({
  /** As Node names it: `x64`, `arm64`. */
  arch: text(40),
  /** As Node names it: `linux`, `darwin`, `win32`. */
  os: text(40),
  memoryBytes: Count,
  /** Graphics processors of NVIDIA that the host shows. */
  gpus: Count,
  /** IANA name, such as `Europe/Berlin`; left out by workers before version 0.2. */
  timeZone: text(60).optional(),
});

export type HostFacts = z.infer<typeof HostFacts>;

/** What a worker knows of a source. */
const ReportedSource = z.strictObject({
  layer: z.enum(LAYER_NAMES),
  kind: z.enum(SOURCE_KINDS),
  origin: text(300),
  /** In the configured order of its layer, from 1; null for a source that manifests name. */
  place: z.number().int().min(1).nullable(),
  breaker: z.enum(['closed', 'open', 'half-open']),
  /** Milliseconds until it may be asked again. */
  waitMs: Count,
  successRate: z.number().min(0).max(1).nullable(),
  bytesPerSecond: Count.nullable(),
  requestsPerMinute: Count.nullable(),
  connections: Count.nullable(),
});

export type ReportedSource = z.infer<typeof ReportedSource>;

export const MAX_SOURCE_REPORTS = 64;

/** Summary of the host: a digest of its inventory, and the numbers that the API shows. */
export const HostReport = z.strictObject({
  type: z.literal('host.report'),
  at: At,
  inventoryDigest: z.string().max(80),
  storeBytes: Count,
  freeBytes: Count,
  fileCount: Count,
  workerVersion: text(40),
  /** Labels of the worker's own configuration; left out by workers before version 0.2. */
  labels: Labels.optional(),
  facts: HostFacts.optional(),
  /** Left out by workers before version 0.3. */
  sources: z.array(ReportedSource).max(MAX_SOURCE_REPORTS).optional(),
});

const InventoryEventEntry = z.strictObject({
  sha256: z.string().max(64),
  sizeBytes: Count,
  cid: z.string().max(300).nullable(),
  /** Null, as are version and path, for content that no model names. */
  model: text(100).nullable(),
  version: text(100).nullable(),
  path: z.string().max(4096).nullable(),
  /** `invalid`: the host quarantined the file, which has to be fetched again. */
  state: z.enum(['valid', 'invalid']),
});

export type InventoryEventEntry = z.infer<typeof InventoryEventEntry>;

export const INVENTORY_PAGE_ENTRIES = 500;

/** One page of the host's inventory; pages are applied once the set is complete. An empty store is one empty page. */
export const HostInventory = z.strictObject({
  type: z.literal('host.inventory'),
  /** When the worker began to read its disk; files that it published later may be missing. */
  at: At,
  digest: z.string().max(80),
  page: Count,
  pages: z.number().int().min(1).max(10_000),
  /** Folder of the host under which `<model>/<path>` is found. */
  modelsFolder: z.string().max(4096),
  entries: z.array(InventoryEventEntry).max(INVENTORY_PAGE_ENTRIES),
});

/** Result of one check for a newer version of a model. */
export const VersionChecked = z.strictObject({
  type: z.literal('version.checked'),
  at: At,
  model: ModelName,
  /** The version that was compared. */
  current: ModelVersion,
  source: z.enum(['huggingface', 'ipfs']),
  /** The origin's newest version: a commit, or a CID. Null when the check failed. */
  available: text(300).nullable(),
  newer: z.boolean(),
  error: text(1000).nullable(),
});

/** The host carried out an order to show models, or could not. */
export const HostActivated = z.strictObject({
  type: z.literal('host.activated'),
  at: At,
  rollout: z.uuid(),
  /** Of the order that is answered. */
  requestedAt: At,
  /** Failure class; null when the models are shown. */
  errorKind: text(40).nullable(),
  message: text(1000).nullable(),
});

export const WorkerEvent = z.discriminatedUnion('type', [
  DownloadStarted,
  DownloadProgress,
  TryFinished,
  DownloadInterrupted,
  DownloadFinished,
  DownloadFailed,
  HostNotice,
  HostReport,
  HostInventory,
  VersionChecked,
  HostActivated,
]);

export type WorkerEvent = z.infer<typeof WorkerEvent>;

/**
 * What one worker appends to the event stream at once. `host` is null for a worker of the pool. `bootId` and
 * `sequence` make a repeat recognisable. The signature of an enrolled host stands beside the batch, over its very text.
 */
export const EventBatch = z.strictObject({
  version: z.literal(1),
  /** In the case that its worker has. */
  host: z.string().regex(HOST_NAME, HOST_NAME_RULE).nullable(),
  bootId: z.uuid(),
  sequence: Count,
  sentAt: At,
  events: z.array(WorkerEvent).min(1).max(1000),
  /** Grows with every start of an enrolled host's worker, so that batches of long ago are recognised. */
  boot: z.number().int().min(0).optional(),
});

export type EventBatch = z.infer<typeof EventBatch>;

/** A command from the API to the worker that runs a download (Redis pub/sub; the wish itself is in Postgres). */
const OfRunningDownload = {
  version: z.literal(1),
  downloadId: z.uuid(),
  /** Generations up to this one are meant. */
  generation: z.number().int().min(1),
};

export const WorkerCommand = z.discriminatedUnion('command', [
  z.strictObject({ ...OfRunningDownload, command: z.literal('pause') }),
  z.strictObject({ ...OfRunningDownload, command: z.literal('cancel') }),
  /** The new limit; null lifts it. */
  z.strictObject({
    ...OfRunningDownload,
    command: z.literal('limit'),
    bytesPerSecond: z.number().int().min(1).nullable(),
  }),
]);

export type WorkerCommand = z.infer<typeof WorkerCommand>;

const BytesPerSecond = z.number().int('a limit is a whole number').min(1, 'a limit is at least 1 byte per second');

/** A host as limits of sources name it. */
const LimitedHost = z
  .string()
  .max(260)
  .regex(/^[a-z0-9.-]+(:\d{1,5})?$/);

const NOT_A_HOST = 'a source is named as its host, such as gateway.example or gateway.example:8080';

/** @param Value what is said of each source, by its host */
export const bySource = <Value extends z.ZodType>(Value: Value) =>
  z.record(LimitedHost, Value, { error: ({ code }) => (code === 'invalid_key' ? NOT_A_HOST : undefined) });

/** Limits that were set over the API for the worker of a host; the others are as the worker was configured. */
export const HostLimits = z.strictObject({
  /** Over all its downloads. */
  workerBytesPerSecond: BytesPerSecond.optional(),
  /** By host of the source, over all its downloads from there. */
  sources: bySource(BytesPerSecond),
});

export type HostLimits = z.infer<typeof HostLimits>;

/** Message on the command channel of a host: its limits changed. */
export const LimitsChanged = z.strictObject({ version: z.literal(1), command: z.literal('host-limits') });

export type LimitsChanged = z.infer<typeof LimitsChanged>;

/**
 * An order to a host as a whole. It is kept until the host's worker has carried it out; a later order for the same model
 * replaces it.
 */
export const VerifyOrder = z.strictObject({
  version: z.literal(1),
  id: z.uuid(),
  order: z.literal('verify'),
  /** Null means everything the host has. */
  model: ModelName.nullable(),
  requestedAt: At,
});

export type VerifyOrder = z.infer<typeof VerifyOrder>;

/** Show these versions, which the host has stored. The same order again is harmless. */
export const ActivateOrder = z.strictObject({
  version: z.literal(1),
  /** The rollout. */
  id: z.uuid(),
  order: z.literal('activate'),
  models: z
    .array(z.strictObject({ name: ModelName, version: ModelVersion }))
    .min(1)
    .max(16),
  /** Commands of the worker's own configuration. */
  before: CommandName.optional(),
  after: CommandName.optional(),
  requestedAt: At,
});

export type ActivateOrder = z.infer<typeof ActivateOrder>;

/** An order to a host as a whole. It is kept until the host's worker has carried it out. */
export const HostOrder = z.discriminatedUnion('order', [VerifyOrder, ActivateOrder]);

export type HostOrder = z.infer<typeof HostOrder>;
