import { SECOND_MS } from '#core/units';

const WINDOW_MS = 5 * SECOND_MS;

interface Sample {
  readonly at: number;
  readonly bytes: number;
}

/** Speed over the last five seconds: steady enough to say when it ends. Bytes that were there before count for nothing. */
export class SteadyRate {
  /** When bytes came last; milliseconds of the caller's clock. */
  movedAt: number;
  readonly #samples: Sample[] = [];

  constructor(now: number) {
    this.movedAt = now;
  }

  /** @param bytes done in all; less than before when some were taken back */
  reached(bytes: number, now: number): void {
    const last = this.#samples.at(-1);
    if (last === undefined || bytes > last.bytes) this.movedAt = now;
    if (last !== undefined && bytes < last.bytes) this.#samples.length = 0;
    this.#samples.push({ at: now, bytes });
    while (this.#samples.length > 2 && this.#samples[1]!.at <= now - WINDOW_MS) this.#samples.shift();
  }

  bytesPerSecond(now: number): number {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || now <= first.at) return 0;
    return ((last.bytes - first.bytes) * SECOND_MS) / (now - first.at);
  }
}
