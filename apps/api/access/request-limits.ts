import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { MINUTE_MS } from '#core/units';
import { RequestError } from '../server/errors/request-error.ts';

/** Counts requests, and refuses those above the limit. Each process counts for itself. */
export interface RequestLimits {
  /** @throws RequestError `too-many-requests`; `Retry-After` says when to ask again */
  ofToken(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** For a request without a valid token or session, by its address: one of many guesses gets no answer. */
  ofStranger(request: FastifyRequest, reply: FastifyReply): Promise<void>;
}

/** Requests without a valid token from one address (IPv6: one network of 64 bits), within a minute. */
const MAX_STRANGER_REQUESTS = 300;

type Check = ReturnType<FastifyInstance['createRateLimit']>;

/** @param requestsPerMinute of one token or user */
export async function createRequestLimits(app: FastifyInstance, requestsPerMinute: number): Promise<RequestLimits> {
  await app.register(rateLimit, { global: false, timeWindow: MINUTE_MS });
  const tokens = app.createRateLimit({
    max: requestsPerMinute,
    keyGenerator: (request) => request.caller!.id,
  });
  const strangers = app.createRateLimit({ max: MAX_STRANGER_REQUESTS });
  return {
    ofToken: (request, reply) =>
      count(tokens, request, reply, request.caller!.tokenId === null ? 'of this user' : 'with this token'),
    ofStranger: (request, reply) => count(strangers, request, reply, 'without a valid token'),
  };
}

/** The header names are those of draft-ietf-httpapi-ratelimit-headers-06, which clients know; seconds. */
async function count(check: Check, request: FastifyRequest, reply: FastifyReply, what: string): Promise<void> {
  const counted = await check(request);
  if (counted.isAllowed) return;
  const { max, remaining, ttlInSeconds, isExceeded } = counted;
  void reply.headers({ 'ratelimit-limit': max, 'ratelimit-remaining': remaining, 'ratelimit-reset': ttlInSeconds });
  if (!isExceeded) return;
  void reply.header('retry-after', Math.max(1, ttlInSeconds));
  throw new RequestError(
    'too-many-requests',
    `more than ${max} requests in a minute ${what}: ask again in ${ttlInSeconds} s`,
  );
}
