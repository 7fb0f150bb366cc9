import { join } from 'node:path';
import { StorageError } from '#core/failure';
import { ifPresent } from '#os/if-present';
import { withLease } from '#os/lease/lease-file';
import { type WriteStep, writeDurably } from '#os/write-file';
import type { StoreContext } from '../context.ts';
import { decodeRecords, encodeRecords, type ModelRecords } from './model-records.ts';

/**
 * What a change does under the lock: its own work on the disk first, then the new records. Returning the records it was
 * given means there is nothing to write.
 */
export type RecordChange = (records: ModelRecords) => Promise<ModelRecords> | ModelRecords;

interface Waiting {
  readonly change: RecordChange;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

const STEP_NAMES = {
  written: 'manifests-written',
  renamed: 'manifests-renamed',
  synced: 'manifests-synced',
} as const satisfies Record<WriteStep, string>;

/** The one reader and writer of `.manifests.json`. Changes that wait for the lock together are written together. */
export interface RecordStore {
  read(): Promise<ModelRecords>;
  /** @throws what the change throws, or StorageError when the file cannot be written */
  change(change: RecordChange): Promise<void>;
}

export function recordStore(context: StoreContext): RecordStore {
  const lockPath = join(context.paths.locks, 'models.lock');
  let waiting: Waiting[] = [];
  let draining = false;

  const drain = async (): Promise<void> => {
    while (waiting.length > 0) {
      try {
        const tellAll = await withLease(context, lockPath, 'lock', (lease) => {
          const batch = waiting;
          waiting = [];
          return commit(context, batch, () => lease.isMine());
        });
        tellAll();
      } catch (error) {
        for (const { reject } of waiting.splice(0)) reject(error);
      }
    }
    draining = false;
  };

  return {
    read: () => readRecords(context),
    change: (change) =>
      new Promise<void>((resolve, reject) => {
        waiting.push({ change, resolve, reject });
        if (draining) return;
        draining = true;
        void drain();
      }),
  };
}

/** @returns what tells the waiting; it is called once the lock is given back */
async function commit(
  context: StoreContext,
  batch: readonly Waiting[],
  isMine: () => Promise<boolean>,
): Promise<() => void> {
  const outcomes = new Map<Waiting, () => void>();
  try {
    const before = await readRecords(context);
    let records = before;
    for (const item of batch) {
      try {
        records = await item.change(records);
        outcomes.set(item, item.resolve);
      } catch (error) {
        outcomes.set(item, () => item.reject(error));
      }
    }
    if (records !== before) await writeRecords(context, records, isMine);
  } catch (error) {
    for (const item of batch) outcomes.set(item, () => item.reject(error));
  }
  return () => {
    for (const tell of outcomes.values()) tell();
  };
}

async function writeRecords(
  context: StoreContext,
  records: ModelRecords,
  isMine: () => Promise<boolean>,
): Promise<void> {
  if (!(await isMine()))
    throw new StorageError(
      'busy',
      context.paths.manifests,
      'the lock was lost before the records were written; ask again',
    );
  await context.fs.mkdir(context.paths.models, { recursive: true });
  await writeDurably(context.fs, context.paths.manifests, encodeRecords(records), {
    after: (step) => context.onStep(STEP_NAMES[step]),
  });
}

/** A damaged file is set aside with its name and time, and the records start empty: the blobs are still named by content. */
async function readRecords(context: StoreContext): Promise<ModelRecords> {
  const { fs, paths } = context;
  try {
    const text = await ifPresent(fs.readFile(paths.manifests, 'utf8'));
    if (text === undefined) return new Map();
    const records = decodeRecords(text, paths.manifests);
    if (records !== undefined) return records;
    const aside = join(paths.quarantine, `manifests.json-${context.clock.now()}.bak`);
    await ifPresent(fs.rename(paths.manifests, aside));
    context.logger.warn({ path: paths.manifests, aside }, 'damaged model records set aside');
    return new Map();
  } catch (error) {
    throw StorageError.from(error, paths.manifests);
  }
}
