import type { RedisClient } from './connection.ts';
import { requestCountKey } from './keys.ts';

/** How often something happened in the present window, and how long the window lasts. */
export interface RequestCount {
  readonly current: number;
  /** Milliseconds. */
  readonly ttl: number;
}

/**
 * Counts one request in Redis, so that all API processes count together. The first one of a window begins it.
 *
 * @param name of what is counted, such as a token
 * @throws Error while Redis is away
 */
export async function countRequest(
  redis: RedisClient,
  prefix: string,
  name: string,
  windowMs: number,
): Promise<RequestCount> {
  const key = requestCountKey(prefix, name);
  const replies = await redis.multi().set(key, 0, 'PX', windowMs, 'NX').incr(key).pttl(key).exec();
  const [, counted, left] = (replies ?? []).map(([error, reply]) => {
    if (error) throw error;
    return Number(reply);
  });
  if (counted === undefined || left === undefined) throw new Error('Redis gave no count of requests');
  if (left >= 0) return { current: counted, ttl: left };
  // The window ended between the first two commands: INCR made a new key, which does not expire yet.
  await redis.pexpire(key, windowMs);
  return { current: counted, ttl: windowMs };
}
