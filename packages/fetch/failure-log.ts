import { ExhaustedError, type SourceError, type SourceFailure } from '#core/failure';
import { mayPass } from '#core/policy';

/** Collects the failures of all sources, one entry for each source and kind with its count, for the one error that names them all. */
export class FailureLog {
  readonly #failures = new Map<string, SourceFailure>();

  addError({ source, reasonKind: kind, message }: SourceError): void {
    this.add({ source, kind, message });
  }

  add({ source, kind, message }: Omit<SourceFailure, 'count'>): void {
    const key = `${source}\n${kind}`;
    const known = this.#failures.get(key);
    this.#failures.set(key, { source, kind, message: known?.message ?? message, count: (known?.count ?? 0) + 1 });
  }

  /** In the order of their first failures. */
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
