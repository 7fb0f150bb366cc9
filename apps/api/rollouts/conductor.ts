import { mapConcurrently } from '#core/async/map-concurrently';
import type { RolloutStep } from '#core/rollout/next-steps';
import type { RolloutEvent, RolloutState } from '#core/rollout/rollout-state';
import { SECOND_MS } from '#core/units';
import { forgetOrders, withdrawnOrders, type ActivationOrder } from '#database/rollouts/rounds/activate-hosts';
import { conductRollout, openRollouts, rolloutMark, zonesOf } from '#database/rollouts/rounds/conduct-rollout';
import type { EndedDownload } from '#database/rollouts/end-downloads';
import type { RolloutRow } from '#database/rollouts/rollout-row';
import type { Database } from '#database/sql/connect';
import { publishOrders, withdrawActivations } from '#queue/commands/host-orders';
import { createLoop, restingRound, type Loop } from '../background/loop.ts';
import type { Dependencies } from '../dependencies.ts';
import { stopJob } from '../downloads/stop-job.ts';
import { createLaterMembers } from './later-members.ts';
import { isWindowOpen, needsZones } from './window.ts';

const EVERY_MS = SECOND_MS / 2;
const LONGEST_REST_MS = 10 * SECOND_MS;
const STOPPED_AT_ONCE = 16;
const WITHDRAWN_AT_ONCE = 1000;
/** How often every host of a rollout is looked at, whether or not it was heard of: a download may be cancelled by itself. */
const LOOK_AT_ALL_EVERY_MS = 10 * SECOND_MS;
/** A recorder's transaction may end this long after the time that it wrote. What ends later is found by the look at all. */
const OVERLAP_MS = 2 * SECOND_MS;

/** When this process last looked at a rollout, and what it saw. */
interface Looks {
  readonly lastAt: number;
  readonly allAt: number;
  /** What the rollout looked like after the last round. */
  readonly mark: string;
}

/** What a rollout becomes by the event that gives it its verdict. */
const VERDICTS: Partial<Record<RolloutEvent, RolloutState>> = {
  succeed: 'succeeded',
  succeed_partly: 'succeeded_with_failures',
  fail: 'failed',
  time_out: 'timed_out',
};

/** By rollout. */
export type Memory = Map<string, Looks>;

type ConductDeps = Pick<
  Dependencies,
  'database' | 'queues' | 'prefix' | 'changes' | 'metrics' | 'now' | 'log' | 'nudgeRelay' | 'hostOfflineAfterMs'
>;

/** Lets rollouts go on. Every API process may run it: each round of a rollout holds its row. */
export function createConductor(deps: ConductDeps): Loop {
  const memory: Memory = new Map();
  return createLoop({
    name: 'conductor',
    everyMs: EVERY_MS,
    log: deps.log,
    round: restingRound(() => conductAll(deps, memory), EVERY_MS, LONGEST_REST_MS),
  });
}

/**
 * One round of every rollout without a verdict, and of those that hold. One that fails is logged, and does not hold up the others.
 *
 * @param memory when the hosts were last looked at; an empty one looks at all of them
 * @throws Error while Postgres is away
 */
export async function conductAll(deps: ConductDeps, memory: Memory = new Map()): Promise<void> {
  const rows = await openRollouts(deps.database);
  const open = new Set(rows.map(({ id }) => id));
  await forgetEnded(deps, memory, open);
  const members = createLaterMembers(deps, rows);
  for (const row of rows) {
    try {
      const added = await members.add(row);
      // A rollout that holds has something to do while a host of it has not ended.
      if (!row.isHolding || row.hasOpenHosts || added > 0) await conductOne(deps, row, memory);
    } catch (err) {
      deps.log.warn({ err, rolloutId: row.id }, 'rollout could not go on');
    }
  }
  await withdrawOrders(deps);
}

/** A rollout may have ended in the round of another one, which took its hosts or its hold: that is told here. */
async function forgetEnded(
  { database, changes }: ConductDeps,
  memory: Memory,
  open: ReadonlySet<string>,
): Promise<void> {
  for (const [id, { mark }] of memory) {
    if (open.has(id)) continue;
    if ((await rolloutMark(database, id)) !== mark) changes.notify([id], 'rollouts');
    memory.delete(id);
  }
}

/** A host that is away does not show a version later that its rollout does not want there any more. */
async function withdrawOrders({ database, queues, prefix, log }: ConductDeps): Promise<void> {
  const orders = await withdrawnOrders(database, WITHDRAWN_AT_ONCE);
  if (orders.length === 0) return;
  try {
    await withdrawActivations(queues.redis, prefix, orders);
    await forgetOrders(database, orders);
  } catch (err) {
    log.warn({ err, hosts: orders.length }, 'orders to show a version could not be taken back; it is tried again');
  }
}

async function conductOne(deps: ConductDeps, row: RolloutRow, memory: Memory): Promise<void> {
  const { database, now } = deps;
  const at = now();
  const aliveSince = new Date(at.getTime() - deps.hostOfflineAfterMs);
  const looks = memory.get(row.id);
  const heardSince = looks === undefined ? undefined : sinceOf(looks, at.getTime());
  const around = { now: at, aliveSince, heardSince, ...(await openWindows(database, row, at.getTime())) };
  const { isHeld, steps, ended, dispatched, orders } = await conductRollout(database, row.id, around);
  if (isHeld) {
    const mark = await rolloutMark(database, row.id);
    memory.set(row.id, { lastAt: at.getTime(), allAt: (heardSince && looks?.allAt) ?? at.getTime(), mark });
    if (mark !== looks?.mark) deps.changes.notify([row.id], 'rollouts');
  }
  if (dispatched > 0) deps.nudgeRelay();
  tellSteps(deps, row, steps, at);
  await stopEnded(deps, ended);
  await giveOrders(deps, row, orders);
}

function tellSteps(
  { log, metrics }: ConductDeps,
  { id, startedAt, createdAt }: RolloutRow,
  steps: readonly RolloutStep[],
  at: Date,
): void {
  for (const step of steps) {
    log.info({ rolloutId: id, ...step }, 'rollout went on');
    const outcome = step.do === 'move' ? VERDICTS[step.event] : undefined;
    if (outcome !== undefined) metrics.rolloutEnded(outcome, at.getTime() - (startedAt ?? createdAt).getTime());
  }
}

/** Windows in the zones of the hosts are open where one of them is; the others are open for all hosts. */
async function openWindows(
  database: Database,
  { id, spec: { windows } }: RolloutRow,
  now: number,
): Promise<{ isWindowOpen: boolean; openZones?: string[] }> {
  if (!needsZones(windows)) return { isWindowOpen: isWindowOpen(windows, now) };
  const openZones = (await zonesOf(database, id)).filter((zone) => isWindowOpen(windows, now, zone));
  return { isWindowOpen: openZones.length > 0, openZones };
}

/** Tells hosts to show the models. What Redis does not take now is due again in a later round. */
async function giveOrders(
  { queues, prefix, log }: ConductDeps,
  { id, models, spec: { commands } }: RolloutRow,
  orders: readonly ActivationOrder[],
): Promise<void> {
  if (orders.length === 0) return;
  const shared = {
    ...({ version: 1, id, order: 'activate', ...commands } as const),
    models: models.map(({ name, version }) => ({ name, version })),
  };
  const addressed = orders.map(({ host, activatingAt }) => ({
    host,
    order: { ...shared, requestedAt: activatingAt.getTime() },
  }));
  await publishOrders(queues.redis, prefix, addressed).catch((err: unknown) => {
    log.warn(
      { err, rolloutId: id, hosts: orders.length },
      'hosts could not be told to show a version; they are told again',
    );
  });
}

/** @returns undefined when all hosts are to be looked at again */
const sinceOf = ({ lastAt, allAt }: Looks, now: number): Date | undefined =>
  now - allAt >= LOOK_AT_ALL_EVERY_MS ? undefined : new Date(lastAt - OVERLAP_MS);

/** The rows say it already: a worker that cannot be told now is told again when it reports. */
export async function stopEnded(
  deps: Pick<Dependencies, 'queues' | 'prefix' | 'changes' | 'log'>,
  ended: readonly EndedDownload[],
): Promise<void> {
  await mapConcurrently(ended, STOPPED_AT_ONCE, (job) => stopJob(deps, job, 'cancel'));
  deps.changes.notify(ended.map(({ id }) => id));
}
