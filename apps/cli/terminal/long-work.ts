import type { ProgressItem } from './progress-lines.ts';
import type { ProgressDisplay, ProgressStream } from './progress.ts';

/** What takes longer than this shows itself; shorter work stays silent. */
const SILENT_MS = 2_000;

/** Work of several steps. Each says on stderr what it does once it has taken two seconds, with its bytes where there are any. */
export interface LongWork {
  /** Begins a step; the one before is over. */
  step(what: string): void;
  update(item: ProgressItem): void;
  end(): void;
}

/** @param now monotonic milliseconds */
export function longWork(stream: ProgressStream, display: ProgressDisplay, now: () => number): LongWork {
  const startedAt = now();
  let timer: NodeJS.Timeout | undefined;
  let shown = false;
  const stop = (): void => clearTimeout(timer);
  return {
    step(what) {
      stop();
      timer = setTimeout(() => stream.write(`haulier: ${what}\n`), SILENT_MS).unref();
    },
    update(item) {
      if (now() - startedAt < SILENT_MS) return;
      stop();
      shown = true;
      display.update([item]);
    },
    end() {
      stop();
      if (shown) display.end();
      shown = false;
    },
  };
}
