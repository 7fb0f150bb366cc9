import type { DownloadReport } from './download.ts';

/** How one file of many ended. `undefined` where it was not begun, because the whole was stopped. */
export type FileEnd = { readonly report: DownloadReport } | { readonly error: unknown } | undefined;

export interface ManyOptions {
  /** Files under way at once. */
  readonly parallel: number;
  readonly signal: AbortSignal;
}

/**
 * Runs many downloads, a few at once. They begin in their order, except that an origin with fewer downloads under way goes before one
 * with more: a slow or silent origin holds up its own files and not those of the others. One that fails ends alone.
 *
 * @param origins who is asked for each file, in the order of the files
 * @param run fetches the file of that number
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

interface Lane {
  readonly waiting: number[];
  next: number;
  busy: number;
}

/** Numbers by origin; the origin with the fewest under way is next, of several the one whose number is lowest. */
class FairQueue {
  readonly #origins: readonly string[];
  readonly #lanes = new Map<string, Lane>();

  constructor(origins: readonly string[]) {
    this.#origins = origins;
    origins.forEach((origin, index) => {
      const lane = this.#lanes.get(origin);
      if (lane === undefined) this.#lanes.set(origin, { waiting: [index], next: 0, busy: 0 });
      else lane.waiting.push(index);
    });
  }

  take(): number | undefined {
    let best: Lane | undefined;
    let emptied: string | undefined;
    for (const [origin, lane] of this.#lanes) {
      if (lane.next === lane.waiting.length) {
        if (lane.busy === 0) emptied = origin;
      } else if (best === undefined || isBefore(lane, best)) best = lane;
    }
    if (emptied !== undefined) this.#lanes.delete(emptied);
    if (best === undefined) return undefined;
    best.busy += 1;
    best.next += 1;
    return best.waiting[best.next - 1];
  }

  done(index: number): void {
    const lane = this.#lanes.get(this.#origins[index]!);
    if (lane !== undefined) lane.busy -= 1;
  }
}

const isBefore = (one: Lane, other: Lane): boolean =>
  one.busy === other.busy ? one.waiting[one.next]! < other.waiting[other.next]! : one.busy < other.busy;
