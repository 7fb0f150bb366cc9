import { FailureLog } from '#fetch/failure-log';
import type { SourceFailure } from '#core/failure';
import { SourceSums, type SourceSum } from '#transfer/report/source-sums';
import type { Progress, TryRecord } from '#transfer/report/transfer-options';

/** Sums of a fetch so far, also for one that fails. Its memory grows with the number of sources, not of tries. */
export class FetchAccount {
  /** The last failure, for the progress line. */
  lastFailure: string | undefined;
  progress: Progress | undefined;
  resumedBytes = 0;
  readonly #failures = new FailureLog();
  readonly #sums = new SourceSums();

  readonly tried = (record: TryRecord): void => {
    const { source, failure } = record;
    this.#sums.add(record);
    if (failure) this.failed({ source, ...failure });
  };

  readonly failed = ({ source, kind, message }: Omit<SourceFailure, 'count'>): void => {
    if (kind === 'aborted') return;
    this.#failures.add({ source, kind, message });
    this.lastFailure = `${source}: ${message}`;
  };

  readonly progressed = (progress: Progress): void => {
    this.progress = progress;
    if (progress.tries === 0 && progress.activeSources.length === 0) this.resumedBytes = progress.committedBytes;
  };

  get sources(): readonly SourceSum[] {
    return this.#sums.all;
  }

  /**
   * One sentence for each source and kind of failure.
   *
   * @param more failures that the final error names; known ones are not repeated
   */
  errors(more: readonly SourceFailure[] = []): string[] {
    const known = new Set(this.#failures.all.map(({ source, kind }) => `${source}\n${kind}`));
    const added = more.filter(({ source, kind }) => !known.has(`${source}\n${kind}`));
    return [...this.#failures.all, ...added].map(
      ({ source, message, count }) => `${source}: ${message}${count > 1 ? ` (${count} times)` : ''}`,
    );
  }
}
