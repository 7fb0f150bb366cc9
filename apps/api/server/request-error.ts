import { PROBLEMS } from '#contracts/http/problem';
import type { FieldError, ProblemCode } from '#contracts/http/problem';

/** The request cannot be done, and the answer says why: becomes a problem document. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly code: ProblemCode;
  readonly errors: readonly FieldError[] | undefined;

  /** @param detail one sentence about this case, for the person who asked */
  constructor(code: ProblemCode, detail: string, options?: { errors?: readonly FieldError[]; cause?: unknown }) {
    super(detail, { cause: options?.cause });
    this.code = code;
    this.errors = options?.errors;
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }
}
