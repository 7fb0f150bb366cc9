import { randomUUID } from 'node:crypto';
import { runAsLeader } from '#database/sql/leader';
import { requeueShards } from '#database/downloads/outbox-queries';
import { queueEpochs, setQueueEpoch } from '#database/sql/setting-queries';
import { readEpochs, writeEpoch } from '#queue/epoch';
import type { Dependencies } from '../dependencies.ts';

type EpochDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'nudgeRelay' | 'now' | 'log'>;

/**
 * Notices that shards of Redis lost their data: the sentinel there is missing or not the one in Postgres. Then every open
 * download of such a shard is queued again, and only after that a new sentinel is set, so that a crash in between is
 * noticed at the next start. Of one Redis all shards are lost together.
 *
 * @returns whether every shard that answers has its sentinel now; false while another process sets it
 * @throws Error while Postgres or Redis is down
 */
export async function checkEpoch(deps: EpochDeps): Promise<boolean> {
  if ((await lostShards(deps)).length === 0) return true;
  const lead = await runAsLeader(deps.database, 'epoch', async () => {
    const lost = await lostShards(deps);
    if (lost.length > 0) await beginEpoch(deps, lost);
  });
  return lead !== undefined;
}

/** @returns the shards that answer without their sentinel; one that does not answer may still have it */
async function lostShards({ database, queues, prefix }: EpochDeps): Promise<string[]> {
  const inRedis = await readEpochs(queues.redis, prefix, queues.shards);
  const inPostgres = await queueEpochs(database);
  return [...inRedis].flatMap(([shard, epoch]) => (epoch !== null && epoch === inPostgres.get(shard) ? [] : [shard]));
}

async function beginEpoch(
  { database, queues, prefix, nudgeRelay, now, log }: EpochDeps,
  shards: readonly string[],
): Promise<void> {
  const first = (await queueEpochs(database)).size === 0;
  const requeued = await requeueShards(database, shards, now());
  const epoch = randomUUID();
  for (const shard of shards) {
    await setQueueEpoch(database, shard, epoch, now());
    await writeEpoch(queues.redis, prefix, shard, epoch);
  }
  if (first && requeued === 0) log.info({ epoch }, 'first epoch of the queue');
  else log.warn({ epoch, shards, requeued }, 'redis lost its data, open downloads are queued again');
  nudgeRelay();
}
