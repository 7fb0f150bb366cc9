/**
 * Maps items with a few calls under way at once; results keep the order of the items.
 *
 * @throws the first failure, after the calls that were under way have ended; no further item is begun
 */
export async function mapConcurrently<Item, Result>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const queue = items.entries();
  let failed = false;
  const runner = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failed) return;
      try {
        results[index] = await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, runner));
  for (const end of ended) if (end.status === 'rejected') throw end.reason;
  return results;
}
