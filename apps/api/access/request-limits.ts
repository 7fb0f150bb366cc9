import { createHash } from 'node:crypto';
import rateLimit, { type CreateRateLimitOptions } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { MINUTE_MS } from '#core/units';
import type { Dependencies } from '../dependencies.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { RequestCounts } from './request-counts.ts';

/** Counts requests, and refuses those above the limit. All API processes count together. */
export interface RequestLimits {
  /** @throws RequestError `too-many-requests`; `Retry-After` says when to ask again */
  ofToken(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** For a request without a valid token or session, by its address: one of many guesses gets no answer. */
  ofStranger(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** For an announce with the token of an enrolled host. */
  ofHost(request: FastifyRequest, reply: FastifyReply): Promise<void>;
}

/** Requests without a valid token from one address (IPv6: one network of 64 bits), within a minute. */
const MAX_STRANGER_REQUESTS = 300;
/** Announces of one host within a minute: one in 250 ms, and some that come early. */
const MAX_ANNOUNCES = 400;

type Check = ReturnType<FastifyInstance['createRateLimit']>;

/** @param requestsPerMinute of one token or user, at all API processes together; at each of them while Redis is away */
export async function createRequestLimits(
  app: FastifyInstance,
  deps: Pick<Dependencies, 'queues' | 'prefix' | 'log'>,
  requestsPerMinute: number,
): Promise<RequestLimits> {
  class Store extends RequestCounts {
    constructor() {
      super(deps);
    }
  }
  await app.register(rateLimit, { global: false, timeWindow: MINUTE_MS, store: Store });
  const limiter = (countName: string, options: CreateRateLimitOptions): Check =>
    app.createRateLimit(Object.assign(options, { countName }));
  const tokens = limiter('token', { max: requestsPerMinute, keyGenerator: (request) => request.caller!.id });
  const strangers = limiter('address', { max: MAX_STRANGER_REQUESTS });
  const hosts = limiter('host', { max: MAX_ANNOUNCES, keyGenerator: keyOfToken });
  return {
    ofToken: (request, reply) =>
      count(tokens, request, reply, request.caller!.tokenId === null ? 'of this user' : 'with this token'),
    ofStranger: (request, reply) => count(strangers, request, reply, 'without a valid token'),
    ofHost: (request, reply) => count(hosts, request, reply, 'of this host'),
  };
}

const keyOfToken = (request: FastifyRequest): string =>
  createHash('sha256')
    .update(request.headers.authorization ?? '')
    .digest('base64url');

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
