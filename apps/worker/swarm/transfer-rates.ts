import { SECOND_MS } from '#core/units';

/** Rates are measured over this long, or since the first byte, and at least over the shorter time. */
const WINDOW_MS = 10 * SECOND_MS;
const LEAST_MS = 2 * SECOND_MS;

/** What happened at a moment: bytes, or milliseconds. */
interface Moved {
  readonly atMs: number;
  readonly amount: number;
}

/** With this share of the time spent on waits for the disk, a host waits for nothing else as long. */
const DISK_BOUND_SHARE = 0.5;

/** Bytes per second that this host took and gave lately, over all transfers, and how long these waited for the disk. */
export class TransferRates {
  readonly #down: Moved[] = [];
  readonly #up: Moved[] = [];
  readonly #waits: Moved[] = [];
  readonly #now: () => number;

  /** @param now monotonic milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  took(bytes: number): void {
    this.#down.push({ atMs: this.#now(), amount: bytes });
  }

  gave(bytes: number): void {
    this.#up.push({ atMs: this.#now(), amount: bytes });
  }

  /** @param ms since the last call, of the transfer that waited longest for the disk */
  waited(ms: number): void {
    this.#waits.push({ atMs: this.#now(), amount: ms });
  }

  /** Transfers waited for the disk for more than half of the time. */
  isDiskBound(): boolean {
    return rateOf(this.#waits, this.#now()) > DISK_BOUND_SHARE * SECOND_MS;
  }

  now(): { readonly downBytesPerSecond: number; readonly upBytesPerSecond: number } {
    const now = this.#now();
    return { downBytesPerSecond: rateOf(this.#down, now), upBytesPerSecond: rateOf(this.#up, now) };
  }
}

/** In a second. */
function rateOf(moved: Moved[], now: number): number {
  const kept = moved.filter(({ atMs }) => now - atMs < WINDOW_MS);
  moved.splice(0, Infinity, ...kept);
  const amount = kept.reduce((sum, one) => sum + one.amount, 0);
  return (amount * SECOND_MS) / Math.max(LEAST_MS, now - (kept[0]?.atMs ?? now));
}
