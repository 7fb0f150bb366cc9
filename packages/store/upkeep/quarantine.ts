import { join } from 'node:path';
import { StorageError } from '#core/failure';
import { ifPresent } from '#os/if-present';
import { syncFolder } from '#os/sync';
import { unlinkIfPresent, writeDurably } from '#os/write-file';
import { dropFacts } from '../blobs/blob-facts.ts';
import type { InvalidBlob, InvalidReason } from '../blobs/check-blob.ts';
import type { StoreContext } from '../context.ts';
import { blobPath } from '../layout.ts';
import { filesOf, type ModelRecords } from '../models/model-records.ts';
import { markContent } from '../models/record-changes.ts';
import type { RecordStore } from '../models/record-store.ts';
import { unlinkView } from '../models/view-link.ts';

/** What stands beside a quarantined file, in `<name>.bak.json`. */
export interface QuarantineRecord {
  readonly sha256: string;
  readonly reason: InvalidReason;
  readonly message: string;
  /** ISO 8601. */
  readonly at: string;
  readonly views: readonly { readonly model: string; readonly path: string }[];
}

/**
 * Takes a wrong blob and its views out of sight and marks it invalid, so that the next request fetches it again. A file
 * of the wrong size is deleted; every other is kept as `.bak` for diagnosis and as a source of its good leaves. When
 * another file has taken the blob's place since the check, nothing is done.
 *
 * @throws StorageError
 */
export async function quarantineBlob(
  context: StoreContext,
  records: RecordStore,
  sha256: string,
  { reason, message, inode }: InvalidBlob,
): Promise<void> {
  const blob = blobPath(context.paths, sha256);
  context.provenThisRun.delete(sha256);
  try {
    await records.change(async (before) => {
      if ((await ifPresent(context.fs.stat(blob)))?.ino !== inode) return before;
      const views = viewsOf(before, sha256);
      if (reason === 'wrong-size') await unlinkIfPresent(context.fs, blob);
      else if (reason !== 'missing')
        await moveAside(context, blob, { sha256, reason, message, at: isoNow(context), views });
      for (const { model, path } of views) await unlinkView(context, model, path);
      await dropFacts(context, sha256);
      context.onNotice({ notice: reason === 'missing' ? 'missing' : 'corrupt', sha256, views, message });
      return markContent(before, sha256, `${reason}: ${message}`);
    });
  } catch (error) {
    throw StorageError.from(error, blob);
  }
}

const isoNow = (context: StoreContext): string => new Date(context.clock.now()).toISOString();

const viewsOf = (records: ModelRecords, sha256: string): { model: string; path: string }[] =>
  [...filesOf(records)]
    .filter((use) => use.current && use.file.sha256 === sha256)
    .map(({ model, path }) => ({ model, path }));

async function moveAside(context: StoreContext, blob: string, record: QuarantineRecord): Promise<void> {
  const aside = join(context.paths.quarantine, `${record.sha256}-${context.clock.now()}.bak`);
  await context.fs.mkdir(context.paths.quarantine, { recursive: true, mode: 0o700 });
  await writeDurably(context.fs, `${aside}.json`, `${JSON.stringify(record, undefined, 2)}\n`);
  await ifPresent(context.fs.rename(blob, aside));
  await syncFolder(context.fs, context.paths.quarantine);
  context.logger.warn({ sha256: record.sha256, reason: record.reason, aside }, 'content quarantined');
}

/** @returns the newest quarantined file of this content: its good leaves need not be fetched again */
export async function repairCandidate(context: StoreContext, sha256: string): Promise<string | undefined> {
  const names = (await ifPresent(context.fs.readdir(context.paths.quarantine))) ?? [];
  const stamps = names.map((name) => /^([0-9a-f]{64})-(\d+)\.bak$/.exec(name)).filter((match) => match?.[1] === sha256);
  const newest = stamps.sort((a, b) => Number(b![2]) - Number(a![2]))[0];
  return newest == null ? undefined : join(context.paths.quarantine, newest[0]);
}
