import { ExhaustedError, type SourceFailure } from '#core/failure';
import { mayPass } from '#core/policy';

/** Collects the failures of all sources, one entry for each source and kind with its count, for the one error that names them all. */
export class FailureLog {
  readonly #failures = new Map<string, SourceFailure>();

  add({ source, kind, message }: Omit<SourceFailure, 'count'>): void {
    const key = `${source}\n${kind}`;
    const count = (this.#failures.get(key)?.count ?? 0) + 1;
    this.#failures.set(key, { source, kind, message, count });
  }

  /** In the order of their first failures; `message` is that of the last one. */
  get all(): readonly SourceFailure[] {
    return [...this.#failures.values()];
  }

  /** @param what names the content that no source gave */
  exhausted(what: string): ExhaustedError {
    const failures = this.all;
    const passing = failures.some((failure) => mayPass(failure.kind));
    return new ExhaustedError(what, failures, passing);
  }
}
