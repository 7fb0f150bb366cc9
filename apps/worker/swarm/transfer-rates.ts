import { SECOND_MS } from '#core/units';

/** Rates are measured over this long, or since the first byte, and at least over the shorter time. */
const WINDOW_MS = 10 * SECOND_MS;
const LEAST_MS = 2 * SECOND_MS;

interface Moved {
  readonly atMs: number;
  readonly bytes: number;
}

/** Bytes per second that this host took and gave lately, over all transfers. */
export class TransferRates {
  readonly #down: Moved[] = [];
  readonly #up: Moved[] = [];
  readonly #now: () => number;

  /** @param now monotonic milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  took(bytes: number): void {
    this.#down.push({ atMs: this.#now(), bytes });
  }

  gave(bytes: number): void {
    this.#up.push({ atMs: this.#now(), bytes });
  }

  now(): { readonly downBytesPerSecond: number; readonly upBytesPerSecond: number } {
    const now = this.#now();
    return { downBytesPerSecond: rateOf(this.#down, now), upBytesPerSecond: rateOf(this.#up, now) };
  }
}

function rateOf(moved: Moved[], now: number): number {
  const kept = moved.filter(({ atMs }) => now - atMs < WINDOW_MS);
  moved.splice(0, Infinity, ...kept);
  const bytes = kept.reduce((sum, one) => sum + one.bytes, 0);
  return (bytes * SECOND_MS) / Math.max(LEAST_MS, now - (kept[0]?.atMs ?? now));
}
