import { z } from 'zod';
import { PROBLEMS, PROBLEM_MEDIA_TYPE, Problem } from '#contracts/http/problem';
import type { Scope } from '#core/scopes';

type ProblemStatus = (typeof PROBLEMS)[keyof typeof PROBLEMS]['status'];

const ProblemResponse = (status: number) => ({
  description: Object.entries(PROBLEMS)
    .filter(([, problem]) => problem.status === status)
    .map(([code]) => `\`${code}\``)
    .join(', '),
  content: { [PROBLEM_MEDIA_TYPE]: { schema: Problem } },
});

/** What a route may answer besides success; 401, 403, 408, 429, 431, 500 and 503 come with every guarded route. */
export function problems(...statuses: readonly ProblemStatus[]): Record<number, ReturnType<typeof ProblemResponse>> {
  const all = [...new Set([...statuses, 401, 403, 408, 429, 431, 500, 503])].sort((a, b) => a - b);
  return Object.fromEntries(all.map((status) => [status, ProblemResponse(status)]));
}

/** The route options with the scope that a token needs. */
export const guardedBy = (scope: Scope) => ({ config: { scope } }) as const;

/** As `guardedBy`, for a handler that checks the limits of the token itself. */
export const guardedWithLimitsBy = (scope: Scope) => ({ config: { scope, checksTokenLimits: true } }) as const;

/** A token, or the session of a user. */
export const TOKEN_REQUIRED = [{ token: [] }, { session: [] }];

/** An answer without a body. */
export const Nothing = z.undefined();
