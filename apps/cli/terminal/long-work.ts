import type { CommandContext } from '../context.ts';
import type { ProgressItem } from './progress-lines.ts';
import { createProgress, type ProgressDisplay, type ProgressMode, type ProgressStream } from './progress.ts';
import { SteadyRate } from './steady-rate.ts';

/** Work that takes longer than this shows itself; shorter work stays silent. */
const SILENT_MS = 2_000;

/** Work of several steps. After two seconds it shows on stderr its step, and its bytes where there are any. */
export interface LongWork {
  /** Starts a step and ends the step before. */
  step(what: string): void;
  /** The speed is computed here. */
  update(item: Omit<ProgressItem, 'bytesPerSecond'>): void;
  end(): void;
}

/** Shows long work of a command on stderr. */
export function longWorkOf(mode: ProgressMode, { stderr, env }: Pick<CommandContext, 'stderr' | 'env'>): LongWork {
  const now = (): number => performance.now();
  return longWork(stderr, createProgress(mode, stderr, env, now), now);
}

/** @param now monotonic milliseconds */
export function longWork(stream: ProgressStream, display: ProgressDisplay, now: () => number): LongWork {
  const startedAt = now();
  const rate = new SteadyRate(startedAt);
  let timer: NodeJS.Timeout | undefined;
  let shown = false;
  const stop = (): void => clearTimeout(timer);
  return {
    step(what) {
      stop();
      timer = setTimeout(() => stream.write(`haulier: ${what}\n`), SILENT_MS).unref();
    },
    update(item) {
      rate.reached(item.doneBytes, now());
      if (now() - startedAt < SILENT_MS) return;
      stop();
      shown = true;
      display.update([{ ...item, bytesPerSecond: rate.bytesPerSecond(now()) }]);
    },
    end() {
      stop();
      if (shown) display.end();
      shown = false;
    },
  };
}
