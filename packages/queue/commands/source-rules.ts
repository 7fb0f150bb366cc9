import { DisabledSource } from '#contracts/worker/disabled-source';
import { SourceOrder } from '#contracts/worker/source-order';
import { parseJson } from '#core/text/parse-json';
import type { RedisClient } from '../connection.ts';
import { disabledSourcesKey, sourceOrdersKey } from '../keys.ts';

/** What workers obey when they choose sources. */
export interface SourceRules {
  readonly disabled: readonly DisabledSource[];
  /** At most one a layer. */
  readonly orders: readonly SourceOrder[];
}

/** Replaces what workers read. Postgres keeps the truth, so that a Redis that lost its data gets it again. */
export async function tellSourceRules(redis: RedisClient, prefix: string, rules: SourceRules): Promise<void> {
  const [disabledKey, ordersKey] = [disabledSourcesKey(prefix), sourceOrdersKey(prefix)];
  const multi = redis.multi().del(disabledKey, ordersKey);
  for (const one of rules.disabled) multi.hset(disabledKey, one.origin, JSON.stringify(one));
  for (const one of rules.orders) multi.hset(ordersKey, one.layer, JSON.stringify(one));
  for (const [error] of (await multi.exec()) ?? []) if (error) throw error;
}

/** @returns the sources that no worker may ask now; entries that cannot be read are left out */
export const readDisabledSources = (redis: RedisClient, prefix: string): Promise<DisabledSource[]> =>
  readHash(redis, disabledSourcesKey(prefix), (entry) => DisabledSource.safeParse(entry).data);

/** @returns the orders that an admin set, at most one a layer; entries that cannot be read are left out */
export const readSourceOrders = (redis: RedisClient, prefix: string): Promise<SourceOrder[]> =>
  readHash(redis, sourceOrdersKey(prefix), (entry) => SourceOrder.safeParse(entry).data);

/** @param read returns undefined for an entry that cannot be read */
async function readHash<Entry>(
  redis: RedisClient,
  key: string,
  read: (entry: unknown) => Entry | undefined,
): Promise<Entry[]> {
  const entries = Object.values(await redis.hgetall(key));
  return entries.flatMap((json) => {
    const entry = read(parseJson(json));
    return entry === undefined ? [] : [entry];
  });
}
