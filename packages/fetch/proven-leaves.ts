import { sameBytes } from '#content/cid/byte-reader';
import type { LeafTable } from '#content/leaf/leaf-table';
import type { FileOperations } from '#transfer/disk/file-operations';
import { leafGrid } from '#transfer/plan/grid';
import { bitOf, decodeJournal, MAX_JOURNAL_BYTES } from '#transfer/disk/journal';
import { journalPathOf } from '#transfer/disk/partial';

/**
 * Which leaves of the table lie proven in a partial that nobody is writing.
 *
 * @returns always false where no journal of this very table can be read
 */
export async function provenLeaves(
  partialPath: string,
  table: LeafTable,
  { readSmall }: Pick<FileOperations, 'readSmall'>,
): Promise<(leaf: number) => boolean> {
  // What cannot be read saves nothing, and the next transfer says why.
  const bytes = await readSmall(journalPathOf(partialPath), MAX_JOURNAL_BYTES).catch(() => undefined);
  const reading = decodeJournal(bytes);
  if (!reading.ok || !sameBytes(reading.journal.gridHash, leafGrid(table).hash)) return () => false;
  const { bitmap } = reading.journal;
  return (leaf) => bitOf(bitmap, leaf);
}
