import type { Problem } from '#contracts/http/problem';
import { SECOND_MS } from '#core/units';

/** An answer of the API that is not a success. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** The problem document; undefined when something else than the API answered, such as a proxy. */
  readonly problem: Problem | undefined;
  /** `Retry-After` of the answer, milliseconds; undefined without one in seconds. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, problem: Problem | undefined, message: string, retryAfterMs?: number) {
    super(message);
    this.status = status;
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The API did not answer: refused, unknown host, reset, or too slow. The request may or may not have been carried out. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
  readonly baseUrl: string;

  constructor(baseUrl: string, reason: string, options?: { cause?: unknown }) {
    super(`cannot reach ${baseUrl}: ${reason}`, options);
    this.baseUrl = baseUrl;
  }
}

/**
 * Makes the error of an answer that is not a success, whatever its body is.
 *
 * @param retryAfter the header of that name; a date in it is ignored
 */
export function apiErrorOf(status: number, body: unknown, retryAfter?: string | null): ApiError {
  const problem = isProblem(body) ? body : undefined;
  const message = problem?.detail ?? `the server answered ${status} without saying why`;
  const retryAfterMs = /^\d{1,6}$/.test(retryAfter ?? '') ? Number(retryAfter) * SECOND_MS : undefined;
  return new ApiError(status, problem, message, retryAfterMs);
}

/** The API names the type of a problem by its code; a code that a later release adds is understood too. */
const isProblem = (body: unknown): body is Problem =>
  typeof body === 'object' &&
  body !== null &&
  'code' in body &&
  typeof body.code === 'string' &&
  'type' in body &&
  body.type === `/problems/${body.code}` &&
  'detail' in body &&
  typeof body.detail === 'string';
