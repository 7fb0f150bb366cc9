import { downloadJob } from '#contracts/worker/download-job';
import { publishCommand } from '#queue/commands/commands';
import type { Dependencies } from '../dependencies.ts';

export type StopCommand = 'pause' | 'cancel';

export interface StoppedJob {
  readonly id: string;
  readonly host: string | null;
  readonly generation: number;
}

/**
 * Takes the job of a download out of its queue and tells a worker that has it to stop. The intent is in Postgres
 * already: while Redis is away this only logs, because a worker that goes on is told again as soon as it reports.
 */
export async function stopJob(
  { queues, prefix, log }: Pick<Dependencies, 'queues' | 'prefix' | 'log'>,
  { id, host, generation }: StoppedJob,
  command: StopCommand,
): Promise<void> {
  const told = publishCommand(queues.redis, prefix, host, { version: 1, downloadId: id, generation, command });
  const removed = queues.remove({ host, id: downloadJob.id({ downloadId: id, generation }) });
  for (const result of await Promise.allSettled([told, removed])) {
    if (result.status === 'rejected')
      log.warn({ downloadId: id, generation, command, err: result.reason }, 'worker could not be told to stop');
  }
}
