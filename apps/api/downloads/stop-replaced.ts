import type { ReplacedJob } from '#database/downloads/requeue-siblings';
import type { Dependencies } from '../dependencies.ts';
import { stopJob } from './stop-job.ts';

type ReplaceDeps = Pick<Dependencies, 'queues' | 'prefix' | 'changes' | 'log'>;

/** Ends jobs whose next generation is written down already: the relay queues it, and a worker goes on from what is on its disk. */
export async function stopReplaced(deps: ReplaceDeps, replaced: readonly ReplacedJob[]): Promise<void> {
  for (const job of replaced) await stopJob(deps, job, 'pause');
  deps.changes.notify(replaced.map(({ id }) => id));
}
