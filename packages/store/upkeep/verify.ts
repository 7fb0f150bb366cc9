import type { ByteRange } from '#core/bytes/byte-range';
import { ifPresent } from '#os/if-present';
import { unlinkIfPresent } from '#os/write-file';
import { badRanges } from './bad-leaves.ts';
import { readFacts } from '../blobs/blob-facts.ts';
import { listBlobs } from '../blobs/blob-list.ts';
import { checkBlob, hashFile, type CheckOptions, type InvalidReason } from '../blobs/check-blob.ts';
import type { StoreContext } from '../context.ts';
import { blobPath } from '../layout.ts';
import { filesOf, type FileUse, type ModelRecords } from '../models/model-records.ts';
import { quarantineBlob, repairCandidate } from './quarantine.ts';
import type { RecordStore } from '../models/record-store.ts';
import { linkView, viewPath } from '../models/view-link.ts';

export interface VerifyProblem {
  readonly sha256: string;
  readonly reason: InvalidReason;
  readonly message: string;
  /** What has to be fetched again, where the leaf table is known; everything otherwise. */
  readonly badRanges: readonly ByteRange[] | undefined;
}

/** A file that a version should have and the store does not: it was taken away earlier and not fetched since. */
export interface MissingFile {
  readonly model: string;
  readonly version: string;
  readonly path: string;
  /** Why it was taken away. */
  readonly why: string;
}

export interface VerifyReport {
  readonly checkedFiles: number;
  readonly checkedBytes: number;
  readonly problems: readonly VerifyProblem[];
  readonly missing: readonly MissingFile[];
  /** Views that did not show their blob and were made again. */
  readonly repairedViews: readonly string[];
}

export interface VerifyOptions {
  /** Only the files of this model, in all its versions. */
  readonly model?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly pace?: CheckOptions['pace'];
}

/**
 * Hashes everything the store has, or one model, and takes what is wrong out of sight.
 *
 * @throws StorageError; the signal's reason when it is aborted
 */
export async function verify(
  context: StoreContext,
  records: RecordStore,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const uses = [...filesOf(await records.read())].filter(
    (use) => options.model === undefined || use.model === options.model,
  );
  const digests = new Set(uses.map((use) => use.file.sha256));
  if (options.model === undefined) for (const { sha256 } of await listBlobs(context)) digests.add(sha256);
  const problems: VerifyProblem[] = [];
  let checkedBytes = 0;
  for (const sha256 of digests) {
    options.signal?.throwIfAborted();
    const outcome = await verifyBlob(context, records, sha256, { ...options, uses });
    if ('problem' in outcome) problems.push(outcome.problem);
    else checkedBytes += outcome.checkedBytes;
  }
  const repairedViews = await repairViews(context, records, options);
  const missing = uses.flatMap(({ model, version, path, file: { invalid: why } }) =>
    why === undefined ? [] : [{ model, version, path, why }],
  );
  return { checkedFiles: digests.size, checkedBytes, problems, missing, repairedViews };
}

/** Hashes one blob whatever is known of it; a wrong one is quarantined before this resolves. */
export async function verifyBlob(
  context: StoreContext,
  records: RecordStore,
  sha256: string,
  options: Pick<VerifyOptions, 'pace' | 'signal'> & { readonly uses: readonly FileUse[] },
): Promise<{ readonly checkedBytes: number } | { readonly problem: VerifyProblem }> {
  const use = options.uses.find(({ file }) => file.sha256 === sha256);
  if (use?.file.invalid !== undefined) return { checkedBytes: 0 };
  const cid = (await readFacts(context, sha256))?.cid ?? use?.file.cid;
  const check = await checkBlob(context, sha256, {
    depth: 'full',
    sizeBytes: use?.file.sizeBytes,
    path: use?.path,
    pace: async (bytes) => {
      options.signal?.throwIfAborted();
      await options.pace?.(bytes);
    },
  });
  if (check.state === 'valid') return { checkedBytes: check.sizeBytes };
  await quarantineBlob(context, records, sha256, check);
  const aside = cid === undefined ? undefined : await repairCandidate(context, sha256);
  const bad = aside === undefined || cid === undefined ? undefined : await badRanges(context, aside, cid);
  return { problem: { sha256, reason: check.reason, message: check.message, badRanges: bad } };
}

/** Views that are copies can rot on their own, and any view can be replaced by another program: the records say what must be there. */
async function repairViews(context: StoreContext, records: RecordStore, options: VerifyOptions): Promise<string[]> {
  const repaired: string[] = [];
  await records.change(async (found) => {
    for (const { model, path, sha256 } of shownFiles(found, options.model)) {
      options.signal?.throwIfAborted();
      const view = viewPath(context, model, path);
      if (await viewIsRight(context, sha256, view)) continue;
      await unlinkIfPresent(context.fs, view);
      await linkView(context, sha256, model, path);
      repaired.push(view);
    }
    return found;
  });
  return repaired;
}

function* shownFiles(
  records: ModelRecords,
  only: string | undefined,
): Generator<{ model: string; path: string; sha256: string }> {
  for (const { model, path, file, current } of filesOf(records))
    if (current && file.invalid === undefined && (only === undefined || only === model))
      yield { model, path, sha256: file.sha256 };
}

async function viewIsRight(context: StoreContext, sha256: string, view: string): Promise<boolean> {
  const [blob, shown] = await Promise.all([
    ifPresent(context.fs.stat(blobPath(context.paths, sha256))),
    ifPresent(context.fs.stat(view)),
  ]);
  if (blob === undefined) return true;
  if (shown === undefined) return false;
  return (shown.ino === blob.ino && shown.dev === blob.dev) || (await hashFile(context, view)) === sha256;
}
