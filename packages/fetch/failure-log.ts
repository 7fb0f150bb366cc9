import { ExhaustedError, type SourceFailure } from '#core/failure';
import { mayPass } from '#core/policy';

/** Collects what each source did wrong, once for each kind however often it failed, for the one error that names them all (CH7). */
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

  /** @param what names what nobody could give */
  exhausted(what: string): ExhaustedError {
    const failures = this.all;
    const passing = failures.some((failure) => mayPass(failure.kind));
    return new ExhaustedError(what, failures, passing);
  }
}
