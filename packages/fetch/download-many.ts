import type { DownloadReport } from './download.ts';

/** How one file of many ended; `undefined` for a file that was not started, because the command was aborted. */
export type FileEnd = { readonly report: DownloadReport } | { readonly error: unknown } | undefined;

export interface ManyOptions {
  /** Files in flight at once. */
  readonly parallel: number;
  readonly signal: AbortSignal;
}

/**
 * Runs many downloads, a few at once. They start in their order, except that a file of an origin with fewer downloads in flight goes
 * first: a slow or silent origin delays its own files only. A download that fails does not stop the others.
 *
 * @param origins the origin of each file, in the order of the files
 * @param run fetches the file with this index
 */
export async function downloadMany(
  origins: readonly string[],
  run: (index: number) => Promise<DownloadReport>,
  { parallel, signal }: ManyOptions,
): Promise<FileEnd[]> {
  const queue = new FairQueue(origins);
  const ends = Array.from<FileEnd>({ length: origins.length });
  const worker = async (): Promise<void> => {
    while (!signal.aborted) {
      const index = queue.take();
      if (index === undefined) return;
      ends[index] = await run(index).then(
        (report) => ({ report }),
        (error: unknown) => ({ error }),
      );
      queue.done(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, origins.length) }, worker));
  return ends;
}

interface OriginQueue {
  readonly waiting: number[];
  next: number;
  busy: number;
}

/** File indexes by origin. Next is the origin with the fewest downloads in flight; of several, the one whose next index is lowest. */
class FairQueue {
  readonly #origins: readonly string[];
  readonly #queues = new Map<string, OriginQueue>();

  constructor(origins: readonly string[]) {
    this.#origins = origins;
    origins.forEach((origin, index) => {
      const queue = this.#queues.get(origin);
      if (queue === undefined) this.#queues.set(origin, { waiting: [index], next: 0, busy: 0 });
      else queue.waiting.push(index);
    });
  }

  take(): number | undefined {
    let best: OriginQueue | undefined;
    let emptied: string | undefined;
    for (const [origin, queue] of this.#queues) {
      if (queue.next === queue.waiting.length) {
        if (queue.busy === 0) emptied = origin;
      } else if (best === undefined || isBefore(queue, best)) best = queue;
    }
    if (emptied !== undefined) this.#queues.delete(emptied);
    if (best === undefined) return undefined;
    best.busy += 1;
    best.next += 1;
    return best.waiting[best.next - 1];
  }

  done(index: number): void {
    const queue = this.#queues.get(this.#origins[index]!);
    if (queue !== undefined) queue.busy -= 1;
  }
}

const isBefore = (one: OriginQueue, other: OriginQueue): boolean =>
  one.busy === other.busy ? one.waiting[one.next]! < other.waiting[other.next]! : one.busy < other.busy;
