import type { Progress } from './transfer-options.ts';
import { SpeedMeter } from './speed-meter.ts';

const REPORT_EVERY_MS = 250;

/** The facts of one moment; the report adds the speed and the bytes taken back since the last report. */
export type Position = Omit<Progress, 'rolledBackBytes' | 'bytesPerSecond'>;

/** Reports the progress of a transfer. Committed bytes fall only by the `rolledBackBytes` of the same report. */
export class TransferProgress {
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
   * @param isDue report now, even shortly after the last report
   * @param look called only when a report is made
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
