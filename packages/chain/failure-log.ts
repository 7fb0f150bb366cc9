import { ExhaustedError, type SourceError, type SourceFailure } from '#core/failure';
import { mayPass } from '#core/policy';

/** Collects what each source did wrong, for the one error that names them all (CH7). */
export class FailureLog {
  readonly #failures = new Map<string, SourceFailure>();

  add(error: SourceError): void {
    const key = `${error.source}\n${error.kind}`;
    const count = (this.#failures.get(key)?.count ?? 0) + 1;
    this.#failures.set(key, { source: error.source, kind: error.kind, message: error.message, count });
  }

  /** @param what names what nobody could give */
  exhausted(what: string): ExhaustedError {
    const failures = [...this.#failures.values()];
    const passing = failures.some((failure) => mayPass(failure.kind));
    return new ExhaustedError(what, failures, passing);
  }
}
