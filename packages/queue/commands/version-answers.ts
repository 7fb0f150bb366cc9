import type { RedisClient } from '../connection.ts';

export const answersKey = (prefix: string): string => `${prefix}:version-answers`;

/** Stores for every host that a model's origin answered: one check serves the whole fleet. */
export async function tellAnswer(redis: RedisClient, prefix: string, model: string, at: number): Promise<void> {
  await redis.hset(answersKey(prefix), model, at);
}

/** @returns model to when its origin last answered, milliseconds since 1970; a model that was never asked is not in it */
export async function readAnswers(redis: RedisClient, prefix: string): Promise<Map<string, number>> {
  const kept = Object.entries(await redis.hgetall(answersKey(prefix)));
  return new Map(kept.map(([model, at]) => [model, Number(at)]));
}
