import { FailureLog } from '#fetch/failure-log';
import type { SourceFailure } from '#core/failure';
import type { Layer } from '#core/layer';
import type { Progress, SourceMode, SourceReport, TryRecord } from '#transfer/report/transfer-options';

interface SourceTotals extends Omit<SourceReport, 'leftBecause'> {
  readonly layer: Layer;
  readonly mode: SourceMode;
}

/** Sums of a fetch so far, also for one that fails. Its memory grows with the number of sources, not of tries. */
export class FetchAccount {
  /** The last failure, for the progress line. */
  lastFailure: string | undefined;
  progress: Progress | undefined;
  resumedBytes = 0;
  readonly #failures = new FailureLog();
  readonly #sources = new Map<string, SourceTotals>();

  readonly tried = (record: TryRecord): void => {
    const { source, layer, mode, failure } = record;
    const before = this.#sources.get(source);
    this.#sources.set(source, {
      ...{ source, layer, mode },
      bytes: (before?.bytes ?? 0) + record.committedBytes,
      wastedBytes: (before?.wastedBytes ?? 0) + record.wastedBytes,
      badLeaves: (before?.badLeaves ?? 0) + record.badLeaves,
      errors: (before?.errors ?? 0) + (failure === undefined ? 0 : 1),
    });
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

  get sources(): readonly SourceTotals[] {
    return [...this.#sources.values()];
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
