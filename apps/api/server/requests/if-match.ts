import type { FastifyRequest } from 'fastify';
import { RequestError } from '../errors/request-error.ts';

/**
 * @returns the one tag that `If-Match` names; undefined when the header is missing or `*`, and anything may be changed
 * @throws RequestError for a header of another form
 * @see RFC 9110 section 13.1.1
 */
export function ifMatchOf(request: FastifyRequest): string | undefined {
  const header = request.headers['if-match']?.trim();
  if (header === undefined || header === '*') return undefined;
  const tag = /^(?:W\/)?"([^"]*)"$/.exec(header)?.[1];
  if (tag !== undefined) return tag;
  const detail = 'is one quoted tag, as an ETag header gave it, or *';
  throw new RequestError('invalid-request', `If-Match ${detail}`, {
    errors: [{ pointer: 'If-Match', detail, value: header.slice(0, 100) }],
  });
}

export const changedMeanwhile = (): RequestError =>
  new RequestError('precondition-failed', 'it changed since the If-Match tag was read: read it again, then decide');
