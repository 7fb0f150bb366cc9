import { setTimeout as rest } from 'node:timers/promises';
import { exponentialMs } from '#core/async/exponential-pause';
import type { Logger } from '#core/logger';

export interface Loop {
  start(): void;
  /** Runs a round soon: now when idle, once more when one is running. */
  nudge(): void;
  /** Resolves when no round runs any more. Safe twice and before start. */
  stop(): Promise<void>;
}

export interface LoopOptions {
  readonly name: string;
  /** Pause after a round that did nothing, milliseconds. */
  readonly everyMs: number;
  readonly log: Logger;
  /** @returns true when there is more to do at once */
  readonly round: (signal: AbortSignal) => Promise<boolean>;
}

/** Longest pause between rounds that fail. */
const MAX_PAUSE_MS = 10_000;

/**
 * Runs rounds one after another for as long as the process lives: at once while there is work, otherwise every
 * `everyMs` or when nudged. A round that throws is logged and repeated after a growing pause.
 */
export function createLoop(options: LoopOptions): Loop {
  const stopping = new AbortController();
  let wake: (() => void) | undefined;
  let nudged = false;
  let failures = 0;
  let running: Promise<void> | undefined;

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => wake?.(), ms);
      wake = () => {
        clearTimeout(timer);
        wake = undefined;
        resolve();
      };
    });

  const attempt = async (): Promise<boolean> => {
    try {
      const more = await options.round(stopping.signal);
      if (failures > 0) options.log.info({ loop: options.name, failures }, 'loop recovered');
      failures = 0;
      return more;
    } catch (err) {
      failures += 1;
      if (!stopping.signal.aborted) options.log.warn({ err, loop: options.name, failures }, 'loop round failed');
      return false;
    }
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      nudged = false;
      const more = await attempt();
      if (more || (nudged && failures === 0) || stopping.signal.aborted) continue;
      await pause(failures === 0 ? options.everyMs : exponentialMs(250, failures, MAX_PAUSE_MS));
    }
  };

  return {
    start() {
      running ??= run();
    },
    nudge() {
      nudged = true;
      if (failures === 0) wake?.();
    },
    async stop() {
      stopping.abort();
      wake?.();
      await running;
    },
  };
}

/**
 * A round for work that takes the longer the more hosts there are: it rests afterwards, so that at most a fifth of the time is spent on such rounds.
 * A nudge does not shorten the rest.
 *
 * @param everyMs pause of the loop, milliseconds, which counts as rest
 * @param longestRestMs longest rest within a round, milliseconds
 */
export const restingRound =
  (work: () => Promise<void>, everyMs: number, longestRestMs: number): LoopOptions['round'] =>
  async (signal) => {
    const startedAt = performance.now();
    await work();
    const restMs = Math.min(longestRestMs, 4 * (performance.now() - startedAt) - everyMs);
    // Only the stop of the loop ends it sooner.
    if (restMs > 0) await rest(restMs, undefined, { signal }).catch(() => undefined);
    return false;
  };
