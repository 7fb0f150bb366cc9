import { ifPresent } from '#os/if-present';
import type { StoreContext } from '../context.ts';
import { blobPath } from '../layout.ts';
import type { ModelRecord, ModelRecords } from './model-records.ts';
import { flipViews } from './model-views.ts';
import { makeCurrent, setPinned } from './record-changes.ts';
import type { RecordStore } from './record-store.ts';

/**
 * Keeps a version for ever, or no longer. While the current version is pinned, no new one takes its place by itself.
 *
 * @param version the current one where it is left out
 * @throws RangeError when the host has no such model or version
 */
export async function pinVersion(
  records: RecordStore,
  model: string,
  pinned: boolean,
  version?: string,
): Promise<void> {
  await records.change((found) => {
    const record = knownModel(found, model);
    return setPinned(found, model, knownVersion(record, model, version ?? record.version ?? ''), pinned);
  });
}

/**
 * Shows another version that is still on the disk: views flip, no byte moves.
 *
 * @throws RangeError when the host does not have the version, or not all of it
 */
export async function activateVersion(
  context: StoreContext,
  records: RecordStore,
  model: string,
  version: string,
): Promise<void> {
  await records.change(async (found) => {
    knownVersion(knownModel(found, model), model, version);
    await refuseIncomplete(context, found, model, version);
    await flipViews(context, found, model, version, 'all');
    return makeCurrent(found, model, version, new Date(context.clock.now()).toISOString());
  });
}

/** Goes back to the version before; the one left becomes the previous one. */
export async function rollback(context: StoreContext, records: RecordStore, model: string): Promise<string> {
  const { previousVersion } = knownModel(await records.read(), model);
  if (previousVersion === null) throw new RangeError(`model "${model}" has no previous version on this host`);
  await activateVersion(context, records, model, previousVersion);
  return previousVersion;
}

function knownModel(records: ModelRecords, model: string): ModelRecord {
  const record = records.get(model);
  if (record === undefined)
    throw new RangeError(`model "${model}" is not on this host; it has: ${[...records.keys()].join(', ') || 'none'}`);
  return record;
}

function knownVersion(record: ModelRecord, model: string, version: string): string {
  if (!record.versions.has(version))
    throw new RangeError(
      `version "${version}" of model "${model}" is not on this host; it has: ${[...record.versions.keys()].join(', ')}`,
    );
  return version;
}

async function refuseIncomplete(
  context: StoreContext,
  records: ModelRecords,
  model: string,
  version: string,
): Promise<void> {
  const missing: string[] = [];
  for (const [path, file] of records.get(model)!.versions.get(version)!.files)
    if (
      file.invalid !== undefined ||
      (await ifPresent(context.fs.stat(blobPath(context.paths, file.sha256)))) === undefined
    )
      missing.push(path);
  if (missing.length > 0)
    throw new RangeError(
      `version "${version}" of model "${model}" cannot be shown: ${missing.slice(0, 10).join(', ')} must be fetched again first`,
    );
}
