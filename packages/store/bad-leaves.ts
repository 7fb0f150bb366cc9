import type { LeafTable } from '#content/leaf-table';
import type { ByteRange } from '#core/byte-range';
import type { StoreContext } from './context.ts';
import { leavesPath } from './publish.ts';
import { ifPresent } from './store-fs.ts';

/** Leaf table of a CID as it was published, or undefined where the store has none or it is damaged. */
export async function readLeafTable(context: StoreContext, cid: string): Promise<LeafTable | undefined> {
  const bytes = await ifPresent(context.fs.readFile(leavesPath(context, context.canonicalCid(cid), 'leaves')));
  return bytes === undefined ? undefined : context.leaves.decode(bytes);
}

/**
 * Finds which leaves of a file are wrong, so that only they are fetched again.
 *
 * @returns ascending runs of bad bytes, neighbours joined; undefined when no leaf table is known
 */
export async function badRanges(context: StoreContext, path: string, cid: string): Promise<ByteRange[] | undefined> {
  const table = await readLeafTable(context, cid);
  if (table === undefined) return undefined;
  const ranges: { start: number; end: number }[] = [];
  const handle = await context.fs.open(path, 'r');
  try {
    for (let index = 0; index < table.count; index += 1) {
      const [start, end] = [table.starts[index]!, table.starts[index + 1]!];
      const bytes = Buffer.allocUnsafe(end - start);
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
      if (bytesRead === bytes.length && context.leaves.matches(table, index, bytes)) continue;
      const last = ranges.at(-1);
      if (last?.end === start) last.end = end;
      else ranges.push({ start, end });
    }
  } finally {
    await handle.close();
  }
  return ranges;
}
