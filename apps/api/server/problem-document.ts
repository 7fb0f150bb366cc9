import { PROBLEMS } from '#contracts/http/problem';
import type { FieldError, Problem, ProblemCode } from '#contracts/http/problem';

export interface ProblemFacts {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly instance: string;
  readonly requestId: string;
  readonly errors?: readonly FieldError[] | undefined;
}

/** @see RFC 9457 section 3.1 */
export const problemDocument = (facts: ProblemFacts): Problem => ({
  type: `/problems/${facts.code}`,
  title: PROBLEMS[facts.code].title,
  status: PROBLEMS[facts.code].status,
  detail: facts.detail,
  instance: facts.instance,
  code: facts.code,
  requestId: facts.requestId,
  ...(facts.errors === undefined ? {} : { errors: [...facts.errors] }),
});
