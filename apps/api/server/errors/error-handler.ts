import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { PROBLEMS, PROBLEM_MEDIA_TYPE } from '#contracts/http/problem';
import type { FieldError, Problem, ProblemCode } from '#contracts/http/problem';
import { rememberMethods } from '../requests/allowed-methods.ts';
import { RequestError } from './request-error.ts';
import { isUnavailable } from './unavailable.ts';
import { fieldErrors } from './field-errors.ts';
import type { Mistake, RequestPart } from './field-errors.ts';

/** Codes of Fastify that mean the client did something wrong, as ours. */
const CODE_OF_FASTIFY: Record<string, ProblemCode> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported-media-type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload-too-large',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid-request',
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid-request',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid-request',
  FST_ERR_BAD_URL: 'invalid-request',
};

const DETAIL_OF_FASTIFY: Record<string, string> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'the body must be JSON: send it with "Content-Type: application/json"',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'the body is empty: send a JSON object',
  FST_ERR_CTP_INVALID_JSON_BODY: 'the body is not valid JSON',
  FST_ERR_BAD_URL: 'the path is not percent-encoded UTF-8',
};

interface Answer {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors?: readonly FieldError[] | undefined;
}

/**
 * Makes every answer that is not a success a problem document, unknown paths and methods included. Must be called before the
 * routes are added.
 */
export function registerErrorHandler(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => answerError(request, reply, error));
  const methodsOf = rememberMethods(app);
  app.setNotFoundHandler((request, reply) => {
    const { method } = request;
    const path = pathOf(request);
    const allowed = methodsOf(path);
    if (allowed.length === 0)
      return sendProblem(request, reply, { code: 'not-found', detail: `${path} does not exist` });
    const detail = `${path} has no ${method}, but ${allowed.join(', ')}`;
    return sendProblem(request, reply.header('allow', allowed.join(', ')), { code: 'method-not-allowed', detail });
  });
}

/**
 * Runs a check before every request of a plugin; what it throws is answered here, because a plugin from elsewhere
 * (the queue board) brings an error handler of its own.
 */
export function checkRequests(
  plugin: FastifyInstance,
  check: (request: FastifyRequest, reply: FastifyReply) => Promise<void>,
): void {
  plugin.addHook('onRequest', async (request, reply) => {
    try {
      await check(request, reply);
    } catch (error) {
      return answerError(request, reply, error as FastifyError);
    }
    return undefined;
  });
}

/** Also what Fastify refuses before there is a route, such as a path whose percent-encoding is wrong. */
export function answerError(request: FastifyRequest, reply: FastifyReply, error: FastifyError): FastifyReply {
  const answer = answerTo(error, request);
  logAnswer(request, error, answer);
  if (error instanceof RequestError && error.retryAfterS !== undefined)
    void reply.header('retry-after', error.retryAfterS);
  return sendProblem(request, reply, answer);
}

function sendProblem(request: FastifyRequest, reply: FastifyReply, answer: Answer): FastifyReply {
  const problem = problemDocument({ ...answer, instance: pathOf(request), requestId: request.id });
  if (answer.code === 'unavailable') void reply.header('retry-after', '2');
  return reply
    .code(problem.status)
    .type(PROBLEM_MEDIA_TYPE)
    .serializer((value: unknown) => JSON.stringify(value))
    .send(problem);
}

function answerTo(error: FastifyError, request: FastifyRequest): Answer {
  if (error instanceof RequestError) return { code: error.code, detail: error.message, errors: error.errors };
  if (hasZodFastifySchemaValidationErrors(error)) return badFields(error, request);
  const code = CODE_OF_FASTIFY[error.code];
  if (code !== undefined) return { code, detail: DETAIL_OF_FASTIFY[error.code] ?? error.message };
  if (isUnavailable(error))
    return { code: 'unavailable', detail: 'a database that is needed here cannot be reached; try again in a moment' };
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) return { code: 'invalid-request', detail: error.message };
  return { code: 'internal', detail: 'this is a bug or an overload; the request id finds it in the log' };
}

function badFields(error: FastifyError, request: FastifyRequest): Answer {
  const part = (error.validationContext ?? 'body') as RequestPart;
  const sent = { body: request.body, querystring: request.query, params: request.params, headers: request.headers }[
    part
  ];
  const errors = fieldErrors((error.validation ?? []).map(toMistake), part, sent);
  return { code: 'invalid-request', detail: sentence(errors), errors };
}

/** Undoes the shape that fastify-type-provider-zod gives to a mistake that zod reported. */
function toMistake(entry: NonNullable<FastifyError['validation']>[number]): Mistake {
  const path = entry.instancePath === '/' ? [] : entry.instancePath.slice(1).split('/');
  const keys = entry.params['keys'];
  return {
    code: entry.keyword,
    path,
    message: entry.message ?? 'is not valid',
    keys: Array.isArray(keys) ? keys.map(String) : undefined,
  };
}

function sentence(errors: readonly FieldError[]): string {
  const first = errors[0];
  if (first === undefined) return 'the request is not valid';
  const where = first.pointer === '' ? 'the body' : first.pointer;
  const others = errors.length === 1 ? '' : ` (and ${errors.length - 1} more, see errors)`;
  return `${where}: ${first.detail}${others}`;
}

function logAnswer(request: FastifyRequest, error: FastifyError, answer: Answer): void {
  if (answer.code === 'internal') request.log.error({ err: error }, 'request failed');
  else if (answer.code === 'unavailable') request.log.warn({ err: error }, 'request needs a server that is down');
  else request.log.debug({ code: answer.code, detail: answer.detail }, 'request refused');
}

const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0]!;

interface ProblemFacts {
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
