import { HOUR_MS, SECOND_MS } from '#core/units';
import { hasWaitingRepairs, raiseDriftAlarms, releaseRepairs } from '#database/hosts/repairs';
import { runAsLeader } from '#database/sql/leader';
import type { Dependencies } from '../dependencies.ts';
import { createLoop, type Loop } from './loop.ts';

type RepairDeps = Pick<Dependencies, 'database' | 'changes' | 'nudgeRelay' | 'hostOfflineAfterMs' | 'now' | 'log'>;

const EVERY_MS = SECOND_MS;
/** Of a site, so that a common cause does not make a whole site fetch at once. */
const SHARE_OF_SITE = 0.05;
/** A site that goes on drifting is reported again after this long. */
const ALARM_EVERY_MS = HOUR_MS;

/**
 * Lets lost files be fetched again, a few hosts of a site at a time. One process at a time does the work.
 *
 * @param hostsPerSite most hosts of a site that are repaired at once
 */
export const createRepairs = (deps: RepairDeps, hostsPerSite: number): Loop =>
  createLoop({
    name: 'repairs',
    everyMs: EVERY_MS,
    log: deps.log,
    round: async () => {
      if (!(await hasWaitingRepairs(deps.database))) return false;
      await runAsLeader(deps.database, 'repairs', () => repairSome(deps, hostsPerSite));
      return false;
    },
  });

/** One round: warns of sites that drift as a whole, and lets the next repairs begin. */
export async function repairSome(deps: RepairDeps, hostsPerSite: number): Promise<void> {
  const { database, changes, now, log } = deps;
  const at = now();
  for (const site of await raiseDriftAlarms(database, new Date(at.getTime() - ALARM_EVERY_MS), at))
    log.error(site, 'unusually many hosts of a site have lost files: look for a common cause');
  const aliveSince = new Date(at.getTime() - deps.hostOfflineAfterMs);
  const ids = await releaseRepairs(database, { hostsPerSite, shareOfSite: SHARE_OF_SITE, aliveSince }, at);
  if (ids.length === 0) return;
  log.info({ files: ids.length }, 'repairs begin');
  deps.nudgeRelay();
  changes.notify(ids);
}
