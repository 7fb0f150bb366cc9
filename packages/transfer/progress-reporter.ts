import type { Progress } from './transfer-options.ts';
import { SpeedMeter } from './speed-meter.ts';

const REPORT_EVERY_MS = 250;

/** Tells the caller how far the transfer is: committed bytes that only fall when a fall is named (HT9). */
export class ProgressReporter {
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  readonly #now: () => number;
  readonly #meter: SpeedMeter;
  #committedBytes: number | undefined;
  #reportedAt = -Infinity;

  constructor(onProgress: ((progress: Progress) => void) | undefined, now: () => number) {
    this.#onProgress = onProgress;
    this.#now = now;
    this.#meter = new SpeedMeter(now());
  }

  /** @param isDue report now, however short ago the last report was */
  report(isDue: boolean, progress: Omit<Progress, 'rolledBackBytes' | 'bytesPerSecond'>): void {
    const now = this.#now();
    if (this.#onProgress === undefined || (!isDue && now - this.#reportedAt < REPORT_EVERY_MS)) return;
    const gained = progress.committedBytes - (this.#committedBytes ?? progress.committedBytes);
    if (gained > 0) this.#meter.add(gained, now);
    this.#meter.tick(now);
    this.#reportedAt = now;
    this.#committedBytes = progress.committedBytes;
    this.#onProgress({
      ...progress,
      rolledBackBytes: Math.max(0, -gained),
      bytesPerSecond: this.#meter.rate(now),
    });
  }
}
