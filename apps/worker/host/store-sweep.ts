import type { Logger } from '#core/logger';
import { MINUTE_MS } from '#core/units';
import type { StoreNotice } from '#store/context';
import type { Store } from '#store/open-store';
import type { WorkerConfig } from '../config.ts';

export interface StoreSweepOptions {
  readonly store: Pick<Store, 'sweep'>;
  readonly config: Pick<WorkerConfig, 'sweep' | 'storeWarnBytes' | 'storeMaxBytes'>;
  /** Something was deleted. */
  readonly onSwept: () => void;
  readonly logger: Logger;
  /** Pause before the first sweep, so that downloads come first after a start; milliseconds. */
  readonly firstAfterMs?: number;
  readonly random?: () => number;
}

/** Spreads the sweeps of a fleet that started together. */
const JITTER = 0.1;

/** Deletes what the host no longer needs, a while after the start and then every hour. */
export class StoreSweep {
  readonly #options: StoreSweepOptions;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #over = false;

  constructor(options: StoreSweepOptions) {
    this.#options = options;
  }

  start(): void {
    const { firstAfterMs = MINUTE_MS, config } = this.#options;
    this.#sweepIn(Math.min(firstAfterMs, config.sweep.everyMs));
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
    const { config, logger } = this.#options;
    await this.#sweep().catch((err: unknown) => logger.warn({ err }, 'store could not be swept'));
    this.#sweepIn(config.sweep.everyMs);
  }

  async #sweep(): Promise<void> {
    const { store, config, onSwept, logger } = this.#options;
    const { quarantineMs, partialsMs, versionsMs } = config.sweep;
    const { done, storeBytes, warning } = await store.sweep({
      quarantineMs,
      temporaryMs: partialsMs,
      versionMs: versionsMs,
      warnBytes: config.storeWarnBytes,
      ...(config.storeMaxBytes === undefined ? {} : { hardLimitBytes: config.storeMaxBytes }),
    });
    this.#over = warning !== undefined;
    if (done.length === 0) return;
    logger.info({ deleted: done.length, storeBytes }, 'store swept');
    onSwept();
  }
}
