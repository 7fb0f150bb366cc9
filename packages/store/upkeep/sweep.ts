import type { Dirent } from 'node:fs';
import { join } from 'node:path';
import { StorageError } from '#core/failure';
import { ifPresent } from '#os/if-present';
import { unlinkIfPresent } from '#os/write-file';
import { readFacts, dropFacts } from '../blobs/blob-facts.ts';
import { listBlobs } from '../blobs/blob-list.ts';
import type { StoreContext } from '../context.ts';
import { blobPath, type StorePaths } from '../layout.ts';
import { tryLease } from '#os/lease/lease-file';
import { parseLease } from '#os/lease/lease-record';
import { filesOf } from '../models/model-records.ts';
import { contentLeasePath, readKeptContent } from '../blobs/partial-lease.ts';
import { provablyGone } from '#os/lease/process-identity';
import { leavesPath } from '../blobs/leaf-files.ts';
import { dropVersions } from '../models/record-changes.ts';
import type { RecordStore } from '../models/record-store.ts';
import {
  planSweep,
  SWEEP_LIMITS,
  type LooseFile,
  type PartialGroup,
  type SweepAction,
  type SweepFacts,
  type SweepLimits,
  type SweepPlan,
} from './sweep-plan.ts';

export interface SweepReport extends SweepPlan {
  /** The actions that were carried out; what came back into use between plan and deletion is left out. Empty in a dry run. */
  readonly done: readonly SweepAction[];
}

/**
 * Deletes what the plan allows. Each thing is looked at again right before it is deleted, under the lock that its users take.
 *
 * @throws StorageError
 */
export async function sweep(
  context: StoreContext,
  records: RecordStore,
  options: Partial<SweepLimits> & { readonly dryRun?: boolean } = {},
): Promise<SweepReport> {
  const { dryRun = false, ...chosen } = options;
  const limits: SweepLimits = { ...SWEEP_LIMITS, ...chosen };
  try {
    const plan = planSweep(await gatherFacts(context, records), limits);
    const done: SweepAction[] = [];
    for (const action of dryRun ? [] : plan.actions)
      if (await carryOut(context, records, action, limits)) done.push(action);
    tell(context, plan, done, limits);
    return { ...plan, done };
  } catch (error) {
    throw StorageError.from(error, context.paths.home);
  }
}

function tell(context: StoreContext, plan: SweepPlan, done: readonly SweepAction[], { warnBytes }: SweepLimits): void {
  if (plan.warning !== undefined)
    context.onNotice({ notice: 'store_over_limit', sha256: null, views: [], message: plan.warning, warnBytes });
  for (const action of done)
    if (action.delete === 'blob' && action.evicted)
      context.onNotice({ notice: 'evicted', sha256: action.sha256, views: [], message: action.reason });
}

async function gatherFacts(context: StoreContext, records: RecordStore): Promise<SweepFacts> {
  return {
    nowMs: context.clock.now(),
    records: await records.read(),
    blobs: await listBlobs(context),
    looseFiles: await looseFiles(context),
    partials: await partialGroups(context),
  };
}

async function looseFiles(context: StoreContext): Promise<LooseFile[]> {
  const { paths } = context;
  const files: LooseFile[] = [];
  const add = async (folder: string, name: string, kind: LooseFile['kind']): Promise<void> => {
    const stat = await ifPresent(context.fs.lstat(join(folder, name)));
    if (stat !== undefined) files.push({ path: join(folder, name), sizeBytes: stat.size, mtimeMs: stat.mtimeMs, kind });
  };
  for (const name of (await ifPresent(context.fs.readdir(paths.quarantine))) ?? [])
    if (!name.endsWith('.tmp')) await addQuarantined(context, name, files);
  for (const root of temporaryPlaces(paths))
    for (const entry of await filesBelow(context, root))
      if (isTemporary(entry.name, root === paths.locks)) await add(entry.parentPath, entry.name, 'temporary');
  return files;
}

const temporaryPlaces = (paths: StorePaths): string[] => [
  paths.models,
  paths.blobs,
  paths.facts,
  paths.aliases,
  paths.leaves,
  paths.quarantine,
  paths.partials,
  paths.locks,
];

/** Only names that `temporaryBeside` makes: a model may have a file called `x.tmp`. */
const isTemporary = (name: string, isLock: boolean): boolean =>
  isLock ? name.endsWith('.tmp') : /^\..*\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/.test(name);

async function filesBelow(context: StoreContext, root: string): Promise<Dirent[]> {
  const entries = await ifPresent(context.fs.readdir(root, { recursive: true, withFileTypes: true }));
  return (entries ?? []).filter((entry) => !entry.isDirectory());
}

/** The time in its name is when it was taken away; the mtime is that of the content. */
async function addQuarantined(context: StoreContext, name: string, files: LooseFile[]): Promise<void> {
  const path = join(context.paths.quarantine, name);
  const stat = await ifPresent(context.fs.lstat(path));
  const stamp = Number(/-(\d+)\.bak(?:\.json)?$/.exec(name)?.[1] ?? NaN);
  if (stat?.isFile() === true)
    files.push({
      path,
      sizeBytes: stat.size,
      mtimeMs: Number.isNaN(stamp) ? stat.mtimeMs : stamp,
      kind: 'quarantined',
    });
}

async function partialGroups(context: StoreContext): Promise<PartialGroup[]> {
  const names = (await ifPresent(context.fs.readdir(context.paths.partials))) ?? [];
  const keys = new Set(names.filter((name) => !name.startsWith('.')).map((name) => name.split('.')[0]!));
  const groups: PartialGroup[] = [];
  for (const key of keys) groups.push(await partialGroup(context, key, names));
  return groups;
}

async function partialGroup(context: StoreContext, key: string, names: readonly string[]): Promise<PartialGroup> {
  let [sizeBytes, newestMtimeMs] = [0, -Infinity];
  for (const name of names.filter((candidate) => candidate.startsWith(`${key}.`))) {
    const stat = await ifPresent(context.fs.lstat(join(context.paths.partials, name)));
    sizeBytes += stat?.size ?? 0;
    newestMtimeMs = Math.max(newestMtimeMs, stat?.mtimeMs ?? -Infinity);
  }
  const keepUntilMs = (await readKeptContent(context, key))?.keepUntilMs ?? 0;
  return { key, sizeBytes, newestMtimeMs, keepUntilMs, leased: await isLeased(context, key) };
}

/** A lease file counts as live unless its holder is proven gone; its mtime is in `newestMtimeMs`, so a silent hour ends it too. */
async function isLeased(context: StoreContext, key: string): Promise<boolean> {
  const path = contentLeasePath(context, key);
  const raw = await ifPresent(context.fs.readFile(path, 'utf8'));
  const stat = await ifPresent(context.fs.stat(path));
  if (raw === undefined || stat === undefined) return false;
  const holder = parseLease(raw);
  if (holder !== undefined && (await provablyGone(context.fs, holder.process, stat.mtimeMs))) return false;
  return Math.abs(context.clock.now() - stat.mtimeMs) <= SWEEP_LIMITS.temporaryMs;
}

async function carryOut(
  context: StoreContext,
  records: RecordStore,
  action: SweepAction,
  limits: SweepLimits,
): Promise<boolean> {
  switch (action.delete) {
    case 'file':
      await unlinkIfPresent(context.fs, action.path);
      return true;
    case 'partial':
      return deletePartial(context, action.key, limits);
    case 'version':
      return deleteVersion(records, action.model, action.version);
    case 'blob':
      return deleteBlob(context, records, action.sha256, limits);
  }
}

/** Takes the lease itself, so that no process can start on the partial meanwhile, and looks at the times again. */
async function deletePartial(context: StoreContext, key: string, limits: SweepLimits): Promise<boolean> {
  const before = await partialGroup(context, key, await context.fs.readdir(context.paths.partials));
  if (before.leased) return false;
  const path = contentLeasePath(context, key);
  await unlinkStaleLease(context, path, limits);
  const outcome = await tryLease(context, path, 'sweep');
  if (!('lease' in outcome)) return false;
  try {
    const names = (await context.fs.readdir(context.paths.partials)).filter(
      (name) => name.startsWith(`${key}.`) && name !== `${key}.lease`,
    );
    const group = await partialGroup(context, key, names);
    const idle =
      context.clock.now() - group.newestMtimeMs > limits.temporaryMs && group.keepUntilMs < context.clock.now();
    if (names.length > 0 && !idle) return false;
    for (const name of names) await unlinkIfPresent(context.fs, join(context.paths.partials, name));
    return true;
  } finally {
    await outcome.lease.release();
  }
}

async function unlinkStaleLease(context: StoreContext, path: string, limits: SweepLimits): Promise<void> {
  const stat = await ifPresent(context.fs.stat(path));
  if (stat !== undefined && context.clock.now() - stat.mtimeMs > limits.temporaryMs)
    await unlinkIfPresent(context.fs, path);
}

async function deleteVersion(records: RecordStore, model: string, version: string): Promise<boolean> {
  let dropped = false;
  await records.change((found) => {
    const record = found.get(model);
    const kept = record === undefined || record.version === version || record.previousVersion === version;
    if (kept || record.versions.get(version)?.pinned !== false) return found;
    dropped = true;
    return dropVersions(found, model, new Set([version]));
  });
  return dropped;
}

/** Under the lock of the records: a process that shows this content meanwhile has entered it there, and has touched it. */
async function deleteBlob(
  context: StoreContext,
  records: RecordStore,
  sha256: string,
  limits: SweepLimits,
): Promise<boolean> {
  const blob = blobPath(context.paths, sha256);
  let deleted = false;
  await records.change(async (found) => {
    const stat = await ifPresent(context.fs.stat(blob));
    if (stat === undefined) return found;
    const idleMs = context.clock.now() - Math.max(stat.mtimeMs, stat.atimeMs);
    const named = [...filesOf(found)].some(({ file }) => file.sha256 === sha256);
    if (named || idleMs <= limits.graceMs) return found;
    await deleteLeaves(context, sha256);
    await unlinkIfPresent(context.fs, blob);
    await dropFacts(context, sha256);
    context.provenThisRun.delete(sha256);
    deleted = true;
    return found;
  });
  return deleted;
}

async function deleteLeaves(context: StoreContext, sha256: string): Promise<void> {
  const cid = (await readFacts(context, sha256))?.cid;
  if (cid === undefined) return;
  for (const kind of ['leaves', 'inner'] as const) await unlinkIfPresent(context.fs, leavesPath(context, cid, kind));
}
