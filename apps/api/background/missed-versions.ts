import { HOUR_MS } from '#core/units';
import { cancelMissedVersions } from '#database/downloads/missed-versions';
import { stopJob } from '../downloads/stop-job.ts';
import type { Dependencies } from '../dependencies.ts';

/** A host that nothing was heard of for this long gets, when it is back, only what is wanted then. */
const AWAY_MS = HOUR_MS;

/** Takes versions that were replaced meanwhile out of the queues of hosts that are away, so that they find only what is wanted. */
export async function endMissedVersions(
  deps: Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'changes' | 'hostOfflineAfterMs' | 'now' | 'log'>,
): Promise<void> {
  const now = deps.now();
  const awaySince = new Date(now.getTime() - Math.max(AWAY_MS, deps.hostOfflineAfterMs));
  const ended = await cancelMissedVersions(deps.database, awaySince, now);
  for (const job of ended) await stopJob(deps, job, 'cancel');
  if (ended.length === 0) return;
  deps.log.info({ downloads: ended.length }, 'versions that hosts missed are not sent to them any more');
  deps.changes.notify(ended.map(({ id }) => id));
}
