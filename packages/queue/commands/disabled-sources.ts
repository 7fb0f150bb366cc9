import { DisabledSource } from '#contracts/worker/disabled-source';
import { parseJson } from '#core/text/parse-json';
import type { RedisClient } from '../connection.ts';
import { disabledSourcesKey } from '../keys.ts';

/** Replaces what workers read. Postgres keeps the truth, so that a Redis that lost its data gets it again. */
export async function tellDisabledSources(
  redis: RedisClient,
  prefix: string,
  disabled: readonly DisabledSource[],
): Promise<void> {
  const key = disabledSourcesKey(prefix);
  const multi = redis.multi().del(key);
  for (const one of disabled) multi.hset(key, one.origin, JSON.stringify(one));
  for (const [error] of (await multi.exec()) ?? []) if (error) throw error;
}

/** @returns the sources that no worker may ask now; entries that cannot be read are left out */
export async function readDisabledSources(redis: RedisClient, prefix: string): Promise<DisabledSource[]> {
  const entries = Object.values(await redis.hgetall(disabledSourcesKey(prefix)));
  return entries.flatMap((json) => {
    const { data } = DisabledSource.safeParse(parseJson(json));
    return data === undefined ? [] : [data];
  });
}
