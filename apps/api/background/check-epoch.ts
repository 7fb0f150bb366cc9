import { randomUUID } from 'node:crypto';
import { runAsLeader } from '#database/sql/leader';
import { requeueEverything } from '#database/downloads/outbox-queries';
import { queueEpoch, setQueueEpoch } from '#database/sql/setting-queries';
import { readEpoch, writeEpoch } from '#queue/epoch';
import type { Dependencies } from '../dependencies.ts';

type EpochDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'nudgeRelay' | 'now' | 'log'>;

/**
 * Notices that Redis lost its data: the sentinel there is missing or not the one in Postgres. Then every open download
 * is queued again, and only after that a new sentinel is set, so that a crash in between is noticed at the next start.
 *
 * @throws Error while Postgres or Redis is down
 */
export async function checkEpoch(deps: EpochDeps): Promise<void> {
  if (await isSameEpoch(deps)) return;
  await runAsLeader(deps.database, 'epoch', async () => {
    if (!(await isSameEpoch(deps))) await beginEpoch(deps);
  });
}

async function isSameEpoch({ database, queues, prefix }: EpochDeps): Promise<boolean> {
  const inRedis = await readEpoch(queues.redis, prefix);
  return inRedis !== null && inRedis === (await queueEpoch(database));
}

async function beginEpoch({ database, queues, prefix, nudgeRelay, now, log }: EpochDeps): Promise<void> {
  const first = (await queueEpoch(database)) === undefined;
  const requeued = await requeueEverything(database, now());
  const epoch = randomUUID();
  await setQueueEpoch(database, epoch, now());
  await writeEpoch(queues.redis, prefix, epoch);
  if (first && requeued === 0) log.info({ epoch }, 'first epoch of the queue');
  else log.warn({ epoch, requeued }, 'redis lost its data, open downloads are queued again');
  nudgeRelay();
}
