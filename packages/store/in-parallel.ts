/** Calls to the disk that wait for each other's threads; more of them only use memory. */
const AT_ONCE = 16;

/**
 * Works on all items, several at once, in no order.
 *
 * @throws the first error, once what was begun has ended
 */
export async function inParallel<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failed = false;
  const run = async (): Promise<void> => {
    for (let next = iterator.next(); !failed && next.done !== true; next = iterator.next())
      try {
        await work(next.value);
      } catch (error) {
        failed = true;
        throw error;
      }
  };
  const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, run));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
