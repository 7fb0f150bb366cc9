import type { Logger } from '#core/logger';
import { MINUTE_MS } from '#core/units';
import type { StoreNotice } from '../context.ts';
import type { Store } from '../open-store.ts';
import type { SweepLimits } from './sweep-plan.ts';

export interface StoreSweepOptions {
  readonly store: Pick<Store, 'sweep'>;
  readonly limits: Partial<SweepLimits>;
  /** Pause between two sweeps, in milliseconds. */
  readonly everyMs: number;
  /** Something was deleted. */
  readonly onSwept?: (() => void) | undefined;
  readonly logger: Logger;
  /** Pause before the first sweep, so that downloads come first after a start; milliseconds. */
  readonly firstAfterMs?: number;
  readonly random?: () => number;
}

/** Spreads the sweeps of a fleet that started together. */
const JITTER = 0.1;

/** Deletes what the host no longer needs, a while after the start and then again and again. */
export class StoreSweep {
  readonly #options: StoreSweepOptions;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #over = false;

  constructor(options: StoreSweepOptions) {
    this.#options = options;
  }

  start(): void {
    const { firstAfterMs = MINUTE_MS, everyMs } = this.#options;
    this.#sweepIn(Math.min(firstAfterMs, everyMs));
  }

  /** Does not wait for a running sweep, which may end after any step. Safe twice and before start. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** False for a warning that was published before and still holds. */
  isNews({ notice }: StoreNotice): boolean {
    return notice !== 'store_over_limit' || !this.#over;
  }

  #sweepIn(ms: number): void {
    if (this.#stopped) return;
    const factor = 1 - JITTER + 2 * JITTER * (this.#options.random ?? Math.random)();
    this.#timer = setTimeout(() => void this.#due(), ms * factor);
  }

  async #due(): Promise<void> {
    const { everyMs, logger } = this.#options;
    await this.#sweep().catch((err: unknown) => logger.warn({ err }, 'store could not be swept'));
    this.#sweepIn(everyMs);
  }

  async #sweep(): Promise<void> {
    const { store, limits, onSwept, logger } = this.#options;
    const { done, storeBytes, warning } = await store.sweep(limits);
    this.#over = warning !== undefined;
    if (done.length === 0) return;
    logger.info({ deleted: done.length, storeBytes }, 'store swept');
    onSwept?.();
  }
}
