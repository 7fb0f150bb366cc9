import type { DownloadRow } from '#database/download-row';
import { requeueSiblings } from '#database/requeue-siblings';
import type { Dependencies } from '../dependencies.ts';
import { stopJob } from './stop-job.ts';

type RecountDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'changes' | 'now' | 'log'>;

/** The version of a cancelled file is complete without it: nobody waits for it any more. The relay finds what is queued anew. */
export async function recountVersion(deps: RecountDeps, cancelled: DownloadRow): Promise<void> {
  const replaced = await requeueSiblings(deps.database, cancelled, deps.now());
  for (const job of replaced) await stopJob(deps, job, 'pause');
  deps.changes.notify(replaced.map(({ id }) => id));
}
