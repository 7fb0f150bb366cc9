import { TransferRun } from './transfer-run.ts';
import type { TransferOptions, TransferResult } from '../report/transfer-options.ts';

/**
 * Brings the bytes of one file to `partialPath`, from several sources at once, proving every byte that can be
 * proven, and continuing what an earlier run left there.
 *
 * When it rejects, everything that was proven stays in the partial and its journal, so the same call goes on
 * from there; when nothing was, both are removed. When it resolves, the partial is complete and closed, its
 * data not yet synced: publishing does that, and then removes the journal (`journalPathOf`).
 *
 * @throws ExhaustedError every source of every layer failed; it names each and why
 * @throws VerifyError the content is not what it is said to be (`LeafError` names a leaf)
 * @throws StorageError the disk refused; `disk-full` says how many bytes are missing
 * @throws the signal's reason when it was aborted; the journal is committed before
 * @throws RangeError for options that contradict each other
 */
export async function transfer(options: TransferOptions): Promise<TransferResult> {
  const run = await TransferRun.begin(options);
  return run.complete();
}
