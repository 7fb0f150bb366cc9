import { z } from 'zod';

/** Every problem the API answers with: its code, HTTP status and title. `type` of the document is `/problems/<code>`. */
export const PROBLEMS = {
  'invalid-request': { status: 400, title: 'The request is not valid' },
  unauthenticated: { status: 401, title: 'No valid token' },
  'wrong-credentials': { status: 401, title: 'The name or the password is wrong' },
  'wrong-code': { status: 401, title: 'The code is wrong, used or expired' },
  forbidden: { status: 403, title: 'The token does not allow this' },
  'cross-site': { status: 403, title: 'The request comes from another site' },
  'insecure-connection': { status: 403, title: 'Signing in needs TLS or this machine' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'unknown-model': { status: 404, title: 'There is no such model' },
  'unknown-version': { status: 404, title: 'The model has no such version' },
  'unknown-cid': { status: 404, title: 'Nothing is known of this content' },
  'unknown-host': { status: 404, title: 'There is no such host' },
  'unknown-download': { status: 404, title: 'There is no such download' },
  'unknown-rollout': { status: 404, title: 'There is no such rollout' },
  'unknown-bulk-action': { status: 404, title: 'There is no such bulk action' },
  'unknown-source': { status: 404, title: 'There is no such source' },
  'unknown-token': { status: 404, title: 'There is no such token' },
  'unknown-user': { status: 404, title: 'There is no such user' },
  'unknown-session': { status: 404, title: 'There is no such session' },
  'unknown-webhook': { status: 404, title: 'There is no such webhook' },
  'unknown-delivery': { status: 404, title: 'The webhook has no such delivery' },
  'method-not-allowed': { status: 405, title: 'The method is not allowed here' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time' },
  'illegal-move': { status: 409, title: 'It cannot do that now' },
  'host-enrolled': { status: 409, title: 'The host is enrolled already' },
  'not-enrolled': { status: 409, title: 'The host is not enrolled' },
  'enrolment-unavailable': { status: 409, title: 'Redis cannot keep hosts apart' },
  'host-online': { status: 409, title: 'The host is in use' },
  'request-in-progress': { status: 409, title: 'The first request with this key is still running' },
  'user-exists': { status: 409, title: 'There is a user with this name' },
  'version-exists': { status: 409, title: 'The version exists with other content' },
  'too-many-webhooks': { status: 409, title: 'There are too many webhooks' },
  'webhook-disabled': { status: 409, title: 'The webhook is disabled' },
  'precondition-failed': { status: 412, title: 'It changed since you looked' },
  'payload-too-large': { status: 413, title: 'The request body is too large' },
  'unsupported-media-type': { status: 415, title: 'Send JSON' },
  'no-hosts-matched': { status: 422, title: 'The selector matches no host' },
  'key-reused': { status: 422, title: 'The idempotency key was used for another request' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  'head-too-large': { status: 431, title: 'The address and the headers are too long' },
  internal: { status: 500, title: 'Something broke inside' },
  unavailable: { status: 503, title: 'A part of the system is not reachable' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_CODES = Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]];

export const FieldError = z.strictObject({
  /** RFC 6901 pointer into the body (`/files/0/path`), or the parameter (`?limit`). */
  pointer: z
    .string()
    .describe('JSON pointer into the body (RFC 6901); `?name` for a query parameter, `:name` for one of the path'),
  detail: z.string().describe('what is wrong and what would be right'),
  value: z.unknown().optional().describe('what was sent, shortened'),
});

export type FieldError = z.infer<typeof FieldError>;

/**
 * The body of every answer that is not a success.
 *
 * @see RFC 9457
 */
export const Problem = z
  .object({
    type: z.string().describe('names the kind of problem; `/problems/<code>`'),
    title: z.string(),
    status: z.number().int(),
    detail: z.string().describe('one sentence about this case'),
    instance: z.string().describe('the path that was asked'),
    code: z.enum(PROBLEM_CODES),
    requestId: z.string().describe('find it in the log'),
    errors: z.array(FieldError).optional().describe('every bad field, where there are some'),
  })
  .meta({ id: 'Problem' });

export type Problem = z.infer<typeof Problem>;

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';
