import { MAX_PAUSES, SharedPause } from '#contracts/swarm';
import type { Logger } from '#core/logger';
import type { OriginPause } from '#core/origin-pause';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import { isLoopback } from '#serve/serve-settings';
import type { SourceHealth } from '#sources/guards/source-health';

/** A shorter pause is over before other hosts learn of it. */
const LEAST_MS = 2 * SECOND_MS;
/** The API is believed for this long at once; it repeats a longer pause. */
const MOST_MS = 5 * MINUTE_MS;

const TOLD = { kind: 'throttled', message: 'it asked another host of the fleet for a pause' } as const;

type Health = Pick<SourceHealth, 'asked' | 'coolDown' | 'waitMs'>;

/** Pauses of origins that all hosts of a fleet keep. */
export class SharedPauses {
  readonly #health: Health;
  readonly #logger: Logger;
  readonly #hasOneMachine: boolean;

  /** @param apiUrl of the API that tells the hosts of the fleet of each other */
  constructor(health: Health, apiUrl: string, logger: Logger) {
    [this.#health, this.#logger] = [health, logger];
    this.#hasOneMachine = isLoopback(hostOf(apiUrl));
  }

  /** @returns the longest pauses that origins asked this host for, as far as other hosts ask the same servers */
  get own(): OriginPause[] {
    return this.#health.asked
      .list()
      .filter((pause) => pause.ms >= LEAST_MS && this.#isShared(pause))
      .slice(0, MAX_PAUSES);
  }

  /** Keeps the pauses that hosts of the fleet were asked for. One that runs here is never shortened. */
  keep(pauses: readonly OriginPause[]): void {
    for (const { origin, bucket, ms } of pauses) {
      if (this.#health.waitMs(origin, bucket) === 0)
        this.#logger.info({ origin, bucket, ms }, 'an origin is paused: it asked another host of the fleet for that');
      this.#health.coolDown(origin, Math.min(ms, MOST_MS), bucket, TOLD);
    }
  }

  /** Calls the function when an origin asks this host for a pause, and there is one to share. @returns ends that */
  onMore(listener: () => void): () => void {
    return this.#health.asked.onMore(() => {
      if (this.own.length > 0) listener();
    });
  }

  /** A server of the loopback network is another one on each machine. Servers name their rate limits, and the API refuses a name that is too long. */
  #isShared(pause: OriginPause): boolean {
    return SharedPause.safeParse(pause).success && (this.#hasOneMachine || !isLoopback(hostOf(pause.origin)));
  }
}

const hostOf = (url: string): string => new URL(url).hostname.replace(/^\[|\]$/g, '');
