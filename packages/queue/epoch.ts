import type { RedisClient } from './connection.ts';

const epochKey = (prefix: string): string => `${prefix}:epoch`;

/**
 * The sentinel that tells whether this Redis is still the one that jobs were added to. Missing, or other than the
 * one in Postgres, means that Redis lost its data: every open download has to be queued again.
 */
export const readEpoch = (redis: RedisClient, prefix: string): Promise<string | null> => redis.get(epochKey(prefix));

/** Written after all open downloads went back to pending, so that a crash in between is found again. */
export async function writeEpoch(redis: RedisClient, prefix: string, epoch: string): Promise<void> {
  await redis.set(epochKey(prefix), epoch);
}
