import type { CommandContext } from '../context.ts';
import { longWork } from '../terminal/long-work.ts';
import { createProgress, type ProgressMode } from '../terminal/progress.ts';

export interface BundleProgress {
  /** @param totalBytes undefined while it is not known */
  update(doneBytes: number, totalBytes: number | undefined, note?: string): void;
  end(): void;
}

/** Shows on stderr how far a bundle is, once that has taken two seconds. */
export function bundleProgress(
  label: string,
  mode: ProgressMode,
  { stderr, env }: Pick<CommandContext, 'stderr' | 'env'>,
): BundleProgress {
  const now = (): number => performance.now();
  const startedAt = now();
  const work = longWork(stderr, createProgress(mode, stderr, env, now), now);
  return {
    update(doneBytes, totalBytes, note = '') {
      const bytesPerSecond = (doneBytes / Math.max(1, now() - startedAt)) * 1000;
      work.update({ label, doneBytes, totalBytes, note, bytesPerSecond });
    },
    end: () => work.end(),
  };
}
