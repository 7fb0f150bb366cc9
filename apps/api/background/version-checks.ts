import { checkVersionJob } from '#contracts/worker/check-version-job';
import type { CheckVersionJob } from '#contracts/worker/check-version-job';
import { SECOND_MS } from '#core/units';
import { runAsLeader } from '#database/sql/leader';
import { dueModels, setNextCheck } from '#database/models/version-schedule';
import type { DueModel } from '#database/models/version-schedule';
import type { MaintenanceQueue } from '#queue/jobs/maintenance-queue';
import type { Dependencies } from '../dependencies.ts';
import { createLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import { watchedOrigin } from './watched-origin.ts';

type CheckDeps = Pick<Dependencies, 'database' | 'now' | 'log'>;

const EVERY_MS = SECOND_MS;
const BATCH = 100;
/** Spreads the checks of models that were published together. */
const JITTER = 0.1;

/** Queues a check of each model when it is due. Postgres holds the schedule; one process at a time does the work. */
export const createVersionChecks = (deps: CheckDeps, queue: MaintenanceQueue, intervalMs: number): Loop =>
  createLoop({
    name: 'version-checks',
    everyMs: EVERY_MS,
    log: deps.log,
    round: async () => {
      if ((await dueModels(deps.database, deps.now(), 1)).length === 0) return false;
      const work = () => orderChecks(deps, queue, intervalMs);
      return (await runAsLeader(deps.database, 'version-checks', work))?.result ?? false;
    },
  });

/**
 * Adds one job for each model that is due and then sets its next slot. A crash in between adds the same job again, which Redis
 * ignores.
 *
 * @returns true when there may be more
 * @throws Error while Postgres or Redis is down; what was not added stays due
 */
export async function orderChecks(
  { database, now, log }: CheckDeps,
  queue: MaintenanceQueue,
  intervalMs: number,
  random: () => number = Math.random,
): Promise<boolean> {
  const due = await dueModels(database, now(), BATCH);
  for (const model of due) {
    const job = jobOf(model);
    if (job !== undefined) await queue.add(job, checkVersionJob.id(model.name, model.dueAt.getTime()));
    const waitMs = intervalMs * (1 - JITTER + 2 * JITTER * random());
    await setNextCheck(database, model, new Date(now().getTime() + waitMs));
    log.debug({ model: model.name, asked: job !== undefined }, 'version check was due');
  }
  return due.length === BATCH;
}

function jobOf({ name, manifest }: DueModel): CheckVersionJob | undefined {
  const origin = watchedOrigin(manifest);
  return origin && { version: 1, model: name, current: manifest.version, origin };
}
