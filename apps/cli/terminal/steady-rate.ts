import { SECOND_MS } from '#core/units';

const WINDOW_MS = 5 * SECOND_MS;
/** Closer samples would only cost memory. */
const SAMPLE_MS = 50;

interface Sample {
  readonly at: number;
  readonly bytes: number;
}

/** Speed over the last five seconds, which makes it steady enough for an estimate of the end. Bytes of an earlier run do not count. */
export class SteadyRate {
  /** Time of the last new bytes; milliseconds of the caller's clock. */
  movedAt: number;
  readonly #samples: Sample[] = [];
  #latest: Sample | undefined;

  constructor(now: number) {
    this.movedAt = now;
  }

  /** @param bytes done in all; less than before when bytes were dropped */
  reached(bytes: number, now: number): void {
    const latest = this.#latest;
    if (latest === undefined || bytes > latest.bytes) this.movedAt = now;
    if (latest !== undefined && bytes < latest.bytes) this.#samples.length = 0;
    this.#latest = { at: now, bytes };
    const kept = this.#samples.at(-1);
    if (kept === undefined || now - kept.at >= SAMPLE_MS) this.#samples.push(this.#latest);
    while (this.#samples.length > 2 && this.#samples[1]!.at <= now - WINDOW_MS) this.#samples.shift();
  }

  bytesPerSecond(now: number): number {
    const [first] = this.#samples;
    const latest = this.#latest;
    if (first === undefined || latest === undefined || now <= first.at) return 0;
    return ((latest.bytes - first.bytes) * SECOND_MS) / (now - first.at);
  }
}
