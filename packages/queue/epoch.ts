import type { RedisClient } from './connection.ts';
import { epochKey, SHARDS, type Shard } from './keys.ts';
import type { ShardStates } from './shard-states.ts';

/**
 * Reads the sentinels that tell whether each shard is still the one that jobs were added to. One that is missing, or other
 * than the one in Postgres, means that this shard lost its data: its open downloads have to be queued again.
 *
 * @returns the sentinels of the shards that answer
 * @throws Error while no shard answers
 */
export async function readEpochs(
  redis: RedisClient,
  prefix: string,
  shards: ShardStates,
): Promise<Map<Shard, string | null>> {
  const all = new Map(SHARDS.map((shard) => [shard, epochKey(prefix, shard)]));
  const outcomes = await shards.onEach(all, (key) => redis.get(key));
  return new Map(outcomes.flatMap((outcome) => ('result' in outcome ? [[outcome.shard, outcome.result]] : [])));
}

/** Written after all open downloads of the shard went back to pending, so that a crash in between is found again. */
export async function writeEpoch(redis: RedisClient, prefix: string, shard: Shard, epoch: string): Promise<void> {
  await redis.set(epochKey(prefix, shard), epoch);
}
