import { PROBLEMS } from '#contracts/http/problem';
import type { FieldError, ProblemCode } from '#contracts/http/problem';

/** A request that is refused; the error handler makes a problem document of it. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly code: ProblemCode;
  readonly errors: readonly FieldError[] | undefined;
  /** When the same request may succeed; seconds. */
  readonly retryAfterS: number | undefined;

  /** @param detail one sentence about this case, for the caller */
  constructor(
    code: ProblemCode,
    detail: string,
    options?: { errors?: readonly FieldError[]; retryAfterS?: number; cause?: unknown },
  ) {
    super(detail, { cause: options?.cause });
    this.code = code;
    this.errors = options?.errors;
    this.retryAfterS = options?.retryAfterS;
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }
}
