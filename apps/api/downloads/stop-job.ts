import { downloadJob } from '#contracts/worker/download-job';
import type { ReplacedJob } from '#database/downloads/requeue-siblings';
import { publishCommand } from '#queue/commands/commands';
import type { JobState } from '#queue/jobs/download-queue';
import type { Dependencies } from '../dependencies.ts';

export type StopCommand = 'pause' | 'cancel';

export interface StoppedJob {
  readonly id: string;
  readonly host: string | null;
  readonly generation: number;
}

/**
 * Takes the job of a download out of its queue and tells a worker that has it to stop. The intent is in Postgres
 * already: while Redis is down this only logs, because a worker that goes on gets the command again with its next event.
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
      log.warn({ downloadId: id, generation, command, err: result.reason }, 'stop command was not sent');
  }
}

/** Takes a job that waits for sources or space out of its queue; otherwise it would run beside the one of the next generation. */
export async function stopWaiting(
  deps: Pick<Dependencies, 'queues' | 'prefix' | 'log'>,
  job: StoppedJob,
): Promise<void> {
  const id = downloadJob.id({ downloadId: job.id, generation: job.generation });
  const [found] = await deps.queues.inspect([{ host: job.host, id }]).catch((): JobState[] => []);
  if (found?.state === 'open') await stopJob(deps, job, 'pause');
}

type ReplaceDeps = Pick<Dependencies, 'queues' | 'prefix' | 'changes' | 'log'>;

/** Ends jobs whose next generation is in Postgres: the relay queues it, and a worker goes on from its partial. */
export async function stopReplaced(deps: ReplaceDeps, replaced: readonly ReplacedJob[]): Promise<void> {
  for (const job of replaced) await stopJob(deps, job, 'pause');
  deps.changes.notify(replaced.map(({ id }) => id));
}
