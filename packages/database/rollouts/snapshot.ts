import { ACTIVE_HOST_STATES, type RolloutHostState } from '#core/rollout/host-state';
import type { RolloutSnapshot, SiteCounts } from '#core/rollout/next-steps';
import type { Client } from './moves.ts';
import type { RolloutRow } from './rollout-row.ts';

interface Group {
  readonly site: string;
  readonly isLate: boolean;
  readonly isOpened: boolean;
  readonly inWave: boolean;
  readonly state: RolloutHostState;
  readonly isBlocked: boolean;
  readonly hosts: number;
}

const GROUPS_SQL = `
  SELECT h.site, h.is_late AS "isLate", h.wave IS NOT NULL AS "isOpened", h.wave IS NOT DISTINCT FROM $2 AS "inWave",
    h.state, h.is_blocked AS "isBlocked", count(*) AS hosts
  FROM rollout_hosts h WHERE h.rollout_id = $1 GROUP BY 1, 2, 3, 4, 5, 6`;

const isActive = ({ state }: Group): boolean => ACTIVE_HOST_STATES.includes(state);
/** Left the denominator. */
const isOut = ({ state }: Group): boolean => state === 'skipped' || state === 'superseded';
const isFailed = ({ state }: Group): boolean => state === 'failed' || state === 'cancelled';

/** Everything the next step of the rollout depends on, as of this moment. */
export async function readSnapshot(client: Client, row: RolloutRow, isWindowOpen: boolean): Promise<RolloutSnapshot> {
  const { rows } = await client.query<Group>(GROUPS_SQL, [row.id, row.wave]);
  const sum = (...conditions: ((group: Group) => boolean)[]): number =>
    rows.filter((group) => conditions.every((holds) => holds(group))).reduce((total, { hosts }) => total + hosts, 0);
  const inVerdict = (group: Group): boolean => !group.isLate && !isOut(group);
  const isDone = ({ state }: Group): boolean => state === 'done';
  const inWave = (group: Group): boolean => group.inWave;
  const counts = { targeted: sum(inVerdict), succeeded: sum(inVerdict, isDone), failed: sum(inVerdict, isFailed) };
  const ofWave = {
    active: sum(inWave, isActive),
    ready: sum(inWave, ({ state }) => state === 'pending'),
    succeeded: sum(inWave, isDone),
    failed: sum(inWave, isFailed),
  };
  const active = sum(isActive);
  return {
    state: row.state,
    pauseReason: row.pauseReason ?? undefined,
    policy: row.spec.policy,
    isApproved: row.isApproved,
    startsAt: row.startsAt?.getTime(),
    deadlineAt: row.deadlineAt.getTime(),
    isWindowOpen,
    // Every host that works waits for a source. While no host works, nothing is known against the sources.
    isSourceUsable: active === 0 || sum(isActive, ({ isBlocked }) => isBlocked) < active,
    wave: row.wave,
    soakUntil: row.soakUntil?.getTime(),
    isGateOpen: row.isGateOpen,
    // A host that ended before its wave opened is not opened any more.
    openedHosts: sum(inVerdict, (group) => group.isOpened || isDone(group) || isFailed(group)),
    counts,
    inWave: ofWave,
    brake: {
      finished: Math.max(0, ofWave.succeeded + ofWave.failed - row.brakeFinished),
      failed: Math.max(0, ofWave.failed - row.brakeFailed),
    },
    sites: sitesOf(rows),
  };
}

function sitesOf(groups: readonly Group[]): SiteCounts[] {
  const sites = new Map<string, { ready: number; active: number }>();
  for (const group of groups) {
    const counts = sites.get(group.site) ?? { ready: 0, active: 0 };
    sites.set(group.site, counts);
    if (isActive(group)) counts.active += group.hosts;
    else if (group.isOpened && group.state === 'pending') counts.ready += group.hosts;
  }
  return [...sites].map(([site, counts]) => ({ site, ...counts }));
}
