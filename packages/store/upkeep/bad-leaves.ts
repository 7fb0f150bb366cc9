import type { ByteRange } from '#core/bytes/byte-range';
import type { StoreContext } from '../context.ts';
import { readLeaves } from '../blobs/leaf-files.ts';

/**
 * Finds which leaves of a file are wrong, so that only they are fetched again.
 *
 * @returns ascending runs of bad bytes, neighbours joined; undefined when no leaf table is known
 */
export async function badRanges(context: StoreContext, path: string, cid: string): Promise<ByteRange[] | undefined> {
  const { table: bytes } = await readLeaves(context, cid);
  const table = bytes === undefined ? undefined : context.leaves.decode(bytes);
  if (table === undefined) return undefined;
  const ranges: { start: number; end: number }[] = [];
  const handle = await context.fs.open(path, 'r');
  try {
    for (let index = 0; index < table.count; index += 1) {
      const [start, end] = [table.starts[index]!, table.starts[index + 1]!];
      const leaf = Buffer.allocUnsafe(end - start);
      const { bytesRead } = await handle.read(leaf, 0, leaf.length, start);
      if (bytesRead === leaf.length && context.leaves.matches(table, index, leaf)) continue;
      const last = ranges.at(-1);
      if (last?.end === start) last.end = end;
      else ranges.push({ start, end });
    }
  } finally {
    await handle.close();
  }
  return ranges;
}
