import type { Progress } from './transfer-options.ts';
import { SpeedMeter } from './speed-meter.ts';

const REPORT_EVERY_MS = 250;

/** What the transfer itself knows; the reporter adds what follows from the report before. */
export type Position = Omit<Progress, 'rolledBackBytes' | 'bytesPerSecond'>;

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

  /**
   * @param isDue report now, however short ago the last report was
   * @param look is asked only when a report is made
   */
  report(isDue: boolean, look: () => Position): void {
    const now = this.#now();
    if (this.#onProgress === undefined || (!isDue && now - this.#reportedAt < REPORT_EVERY_MS)) return;
    const progress = look();
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
