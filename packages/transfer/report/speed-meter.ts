import { SECOND_MS } from '#core/units';

/** Rate of a byte stream over about the last second, and the time of its last byte. */
export class SpeedMeter {
  #startedAt: number;
  #countedAt: number;
  #bytes = 0;
  #rate: number | undefined;
  totalBytes = 0;
  lastByteAt: number;

  constructor(now: number) {
    this.#startedAt = now;
    this.#countedAt = now;
    this.lastByteAt = now;
  }

  add(bytes: number, now: number): void {
    this.#bytes += bytes;
    this.totalBytes += bytes;
    this.lastByteAt = now;
  }

  /** Closes a window. Call it at regular moments; windows under 20 ms are left open. */
  tick(now: number): void {
    const elapsedMs = now - this.#countedAt;
    if (elapsedMs < 20) return;
    const rate = (this.#bytes * SECOND_MS) / elapsedMs;
    const weight = Math.min(1, elapsedMs / SECOND_MS);
    this.#rate = this.#rate === undefined ? rate : this.#rate * (1 - weight) + rate * weight;
    this.#bytes = 0;
    this.#countedAt = now;
  }

  /** Bytes per second; before the first window, the average since the start. */
  rate(now: number): number {
    if (this.#rate !== undefined) return this.#rate;
    const elapsedMs = now - this.#startedAt;
    return elapsedMs > 0 ? (this.totalBytes * SECOND_MS) / elapsedMs : 0;
  }
}
