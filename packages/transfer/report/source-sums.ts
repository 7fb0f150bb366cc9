import type { SourceReport, TryRecord } from './transfer-options.ts';

export type SourceSum = Omit<SourceReport, 'leftBecause' | 'encoding'>;

/**
 * Adds up what each source gave, from its tries. Works however the work ends, and across several transfers of one file; its memory grows
 * with the number of sources, not of tries.
 */
export class SourceSums {
  readonly #sums = new Map<string, SourceSum>();

  add({ source, layer, mode, committedBytes, wastedBytes, badLeaves, failure }: TryRecord): void {
    const before = this.#sums.get(source);
    this.#sums.set(source, {
      source,
      layer,
      mode,
      bytes: (before?.bytes ?? 0) + committedBytes,
      wastedBytes: (before?.wastedBytes ?? 0) + wastedBytes,
      badLeaves: (before?.badLeaves ?? 0) + badLeaves,
      errors: (before?.errors ?? 0) + (failure === undefined ? 0 : 1),
    });
  }

  /** In the order of their first tries. */
  get all(): readonly SourceSum[] {
    return [...this.#sums.values()];
  }
}
