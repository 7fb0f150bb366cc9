import { DAY_MS, HOUR_MS } from '#core/units';
import type { BlobEntry } from '../blobs/blob-list.ts';
import { filesOf, type ModelRecords } from '../models/model-records.ts';
import { dropVersions } from '../models/record-changes.ts';

/** What may be deleted, and when. Ages are in milliseconds, and a limit itself is still kept. */
export interface SweepLimits {
  readonly quarantineMs: number;
  readonly temporaryMs: number;
  readonly versionMs: number;
  /** Nothing that was used within this is deleted: a reader may be about to open it. */
  readonly graceMs: number;
  /** A warning above this; bytes. 2 GB are 2,000,000,000: disks are sold in decimal. */
  readonly warnBytes: number;
  /** Above this the least recently used content that nothing names is evicted; bytes. */
  readonly hardLimitBytes?: number | undefined;
}

export const SWEEP_LIMITS: SweepLimits = {
  quarantineMs: 7 * DAY_MS,
  temporaryMs: HOUR_MS,
  versionMs: 90 * DAY_MS,
  graceMs: HOUR_MS,
  warnBytes: 2e9,
};

export interface LooseFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly kind: 'quarantined' | 'temporary';
}

/** All files of one content under `partials/`. */
export interface PartialGroup {
  readonly key: string;
  readonly sizeBytes: number;
  readonly newestMtimeMs: number;
  readonly leased: boolean;
  /** 0 without a request to keep it. */
  readonly keepUntilMs: number;
}

export interface SweepFacts {
  readonly nowMs: number;
  readonly records: ModelRecords;
  readonly blobs: readonly BlobEntry[];
  readonly looseFiles: readonly LooseFile[];
  readonly partials: readonly PartialGroup[];
}

export type SweepAction = { readonly reason: string; readonly sizeBytes: number } & (
  | { readonly delete: 'file'; readonly path: string }
  | { readonly delete: 'partial'; readonly key: string }
  | { readonly delete: 'version'; readonly model: string; readonly version: string }
  | { readonly delete: 'blob'; readonly sha256: string; readonly evicted: boolean }
);

export interface SweepPlan {
  readonly actions: readonly SweepAction[];
  /** Blobs, quarantine and partials before the sweep. */
  readonly storeBytes: number;
  /** Set when the store is over `warnBytes` even after the plan. */
  readonly warning: string | undefined;
}

/** Decides what a sweep deletes. Pure: a dry run shows exactly this. A time in the future is not old, so a wrong clock deletes nothing. */
export function planSweep(facts: SweepFacts, limits: SweepLimits = SWEEP_LIMITS): SweepPlan {
  const loose = facts.looseFiles.filter((file) => isOld(facts, file.mtimeMs, looseLimit(file, limits)));
  const partials = facts.partials.filter((group) => isIdle(facts, group, limits));
  const versions = oldVersions(facts, limits);
  const blobs = doomedBlobs(facts, limits, versions);
  const storeBytes = totalBytes(facts);
  const actions: SweepAction[] = [
    ...loose.map(
      ({ path, sizeBytes, kind }) => ({ delete: 'file', path, sizeBytes, reason: `${kind} and old` }) as const,
    ),
    ...partials.map(({ key, sizeBytes }) => ({ delete: 'partial', key, sizeBytes, reason: 'idle partial' }) as const),
    ...versions,
    ...blobs,
  ];
  const freed = actions.reduce((sum, action) => sum + action.sizeBytes, 0);
  const remaining = storeBytes - freed;
  const evicted = evictions(facts, limits, blobs, remaining);
  return {
    actions: [...actions, ...evicted],
    storeBytes,
    warning: warningOf(remaining - evicted.reduce((sum, action) => sum + action.sizeBytes, 0), limits),
  };
}

const isOld = (facts: SweepFacts, timeMs: number, limitMs: number): boolean => facts.nowMs - timeMs > limitMs;

const looseLimit = (file: LooseFile, limits: SweepLimits): number =>
  file.kind === 'quarantined' ? limits.quarantineMs : limits.temporaryMs;

/** Idle means that the lease is free and nothing was written for an hour. */
const isIdle = (facts: SweepFacts, group: PartialGroup, limits: SweepLimits): boolean =>
  !group.leased && group.keepUntilMs < facts.nowMs && isOld(facts, group.newestMtimeMs, limits.temporaryMs);

const totalBytes = (facts: SweepFacts): number =>
  [...facts.blobs, ...facts.partials, ...facts.looseFiles].reduce((sum, item) => sum + item.sizeBytes, 0);

/** Versions that were replaced long ago. The current one, the one before it and pinned ones always stay. */
function oldVersions(facts: SweepFacts, limits: SweepLimits): (SweepAction & { delete: 'version' })[] {
  const old: (SweepAction & { delete: 'version' })[] = [];
  for (const [model, record] of facts.records)
    for (const [version, { pinned, replacedAt, downloadedAt }] of record.versions) {
      if (pinned || version === record.version || version === record.previousVersion) continue;
      if (!isOld(facts, Date.parse(replacedAt ?? downloadedAt), limits.versionMs)) continue;
      old.push({ delete: 'version', model, version, sizeBytes: 0, reason: 'replaced long ago' });
    }
  return old;
}

type BlobAction = SweepAction & { delete: 'blob' };

/** Content whose last version goes, and content that nothing names and that was unused for as long. */
function doomedBlobs(
  facts: SweepFacts,
  limits: SweepLimits,
  versions: readonly (SweepAction & { delete: 'version' })[],
): BlobAction[] {
  const before = namedContent(facts.records);
  const after = namedContent(
    versions.reduce((records, { model, version }) => dropVersions(records, model, new Set([version])), facts.records),
  );
  return facts.blobs
    .filter(({ sha256, lastUsedMs }) => {
      if (after.has(sha256)) return false;
      return isOld(facts, lastUsedMs, before.has(sha256) ? limits.graceMs : limits.versionMs);
    })
    .map(({ sha256, sizeBytes }) => {
      const reason = before.has(sha256) ? 'only an old version used it' : 'nothing names it';
      return { delete: 'blob', sha256, sizeBytes, reason, evicted: false };
    });
}

const namedContent = (records: ModelRecords): Set<string> =>
  new Set([...filesOf(records)].map(({ file }) => file.sha256));

/** Least recently used first, until the store fits. Content that any version names stays, whatever the limit. */
function evictions(
  facts: SweepFacts,
  limits: SweepLimits,
  doomed: readonly BlobAction[],
  remainingBytes: number,
): BlobAction[] {
  const limit = limits.hardLimitBytes ?? Infinity;
  const spoken = new Set([...namedContent(facts.records), ...doomed.map(({ sha256 }) => sha256)]);
  const candidates = facts.blobs
    .filter(({ sha256, lastUsedMs }) => !spoken.has(sha256) && isOld(facts, lastUsedMs, limits.graceMs))
    .sort((a, b) => a.lastUsedMs - b.lastUsedMs);
  const evicted: BlobAction[] = [];
  let over = remainingBytes - limit;
  for (const { sha256, sizeBytes } of candidates) {
    if (over <= 0) break;
    evicted.push({
      delete: 'blob',
      sha256,
      sizeBytes,
      reason: 'over the hard limit, least recently used',
      evicted: true,
    });
    over -= sizeBytes;
  }
  return evicted;
}

function warningOf(bytes: number, limits: SweepLimits): string | undefined {
  if (limits.hardLimitBytes !== undefined && bytes > limits.hardLimitBytes)
    return `the store has ${bytes} bytes, over its limit of ${limits.hardLimitBytes}, and all of it is in use`;
  return bytes > limits.warnBytes ? `the store has ${bytes} bytes, more than ${limits.warnBytes}` : undefined;
}
