import { BoundedMap } from '#core/bounded-map';
import type { SourceError } from '#core/failure';
import type { OriginPause } from '#core/origin-pause';

interface Noted extends Omit<OriginPause, 'ms'> {
  /** Monotonic milliseconds. */
  readonly untilMs: number;
}

const MOST_PAUSES = 64;

/** Statuses with which an origin asks for a pause. A pause that this process makes by itself, such as after a page in place of a file, has another one. */
const ASKING = new Set([429, 503]);

/** Pauses that origins asked this process for, over all its transfers. Pauses that it was told of are not among them. */
export class AskedPauses {
  readonly #now: () => number;
  readonly #noted = new BoundedMap<Noted>({ capacity: MOST_PAUSES });
  readonly #listeners = new Set<() => void>();

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes the failure of a request. One that asks for no pause, and a refused connection beyond a limit, change nothing. */
  note(origin: string, { retryAfterMs, httpStatus, bucket, connectionLimit }: AskingFailure): void {
    if (retryAfterMs === undefined || connectionLimit !== undefined || !ASKING.has(httpStatus ?? 0)) return;
    const [key, untilMs] = [`${origin} ${bucket ?? ''}`, this.#now() + retryAfterMs];
    if ((this.#noted.peek(key)?.untilMs ?? 0) >= untilMs) return;
    this.#noted.set(key, { origin, bucket, untilMs });
    for (const listener of this.#listeners) listener();
  }

  /** @returns pauses that have not ended, the longest first */
  list(): OriginPause[] {
    const now = this.#now();
    return [...this.#noted.values()]
      .map(({ untilMs, ...pause }) => ({ ...pause, ms: Math.ceil(untilMs - now) }))
      .filter(({ ms }) => ms > 0)
      .sort((a, b) => b.ms - a.ms);
  }

  /** Calls the function when an origin asks for a pause, or for a longer one. @returns ends that */
  onMore(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

type AskingFailure = Pick<SourceError, 'retryAfterMs' | 'httpStatus' | 'bucket' | 'connectionLimit'>;
