import { ACTIVE_HOST_STATES, type RolloutHostState } from '#core/rollout/host-state';
import type { RolloutSnapshot, SiteCounts } from '#core/rollout/next-steps';
import { lastWave } from '../holds.ts';
import type { Client } from '../moves.ts';
import type { RolloutRow } from '../rollout-row.ts';
import { withinBudgets } from './site-admission.ts';
import { ZONE_SQL } from '../state-sql.ts';

interface Group {
  readonly site: string;
  readonly isLate: boolean;
  readonly isOpened: boolean;
  readonly inWave: boolean;
  readonly state: RolloutHostState;
  readonly isBlocked: boolean;
  /** May begin now: its window is open. */
  readonly mayBegin: boolean;
  readonly hosts: number;
}

const GROUPS_SQL = `
  SELECT h.site, h.is_late AS "isLate", h.wave IS NOT NULL AS "isOpened", h.wave IS NOT DISTINCT FROM $2 AS "inWave",
    h.state, h.is_blocked AS "isBlocked", true AS "mayBegin", count(*) AS hosts
  FROM rollout_hosts h WHERE h.rollout_id = $1 GROUP BY 1, 2, 3, 4, 5, 6`;

/** The same where windows depend on the zones of the hosts; `$3` are those with an open window. */
const GROUPS_BY_ZONE_SQL = GROUPS_SQL.replace('true AS', `${ZONE_SQL} = ANY($3::text[]) AS`)
  .replace('rollout_hosts h WHERE', 'rollout_hosts h LEFT JOIN hosts k ON k.name = h.host WHERE')
  .replace('5, 6', '5, 6, 7');

const isActive = ({ state }: Group): boolean => ACTIVE_HOST_STATES.includes(state);
/** Left the denominator. */
const isOut = ({ state }: Group): boolean => state === 'skipped' || state === 'superseded';
const isFailed = ({ state }: Group): boolean => state === 'failed' || state === 'cancelled';

/** What a snapshot depends on beside the database. */
interface Moment {
  readonly now: Date;
  readonly isWindowOpen: boolean;
  readonly openZones?: readonly string[] | undefined;
}

/** Everything the next step of the rollout depends on, as of this moment. */
export async function readSnapshot(
  client: Client,
  row: RolloutRow,
  { isWindowOpen, openZones, now }: Moment,
): Promise<RolloutSnapshot> {
  const wave = row.isHolding ? lastWave(row) : row.wave;
  const { rows } =
    openZones === undefined
      ? await client.query<Group>(GROUPS_SQL, [row.id, wave])
      : await client.query<Group>(GROUPS_BY_ZONE_SQL, [row.id, wave, openZones]);
  const sum = (...conditions: ((group: Group) => boolean)[]): number =>
    rows.filter((group) => conditions.every((holds) => holds(group))).reduce((total, { hosts }) => total + hosts, 0);
  const inVerdict = (group: Group): boolean => !group.isLate && !isOut(group);
  const isDone = ({ state }: Group): boolean => state === 'done';
  const inWave = (group: Group): boolean => group.inWave;
  const [targeted, succeeded, failed] = [sum(inVerdict), sum(inVerdict, isDone), sum(inVerdict, isFailed)];
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
    wave,
    isHolding: row.isHolding,
    soakUntil: row.soakUntil?.getTime(),
    isGateOpen: row.isGateOpen,
    // A host that ended before its wave opened is not opened any more.
    openedHosts: sum(inVerdict, (group) => group.isOpened || isDone(group) || isFailed(group)),
    counts: { targeted, succeeded, failed },
    inWave: ofWave,
    brake: {
      finished: Math.max(0, ofWave.succeeded + ofWave.failed - row.brakeFinished),
      failed: Math.max(0, ofWave.failed - row.brakeFailed),
    },
    sites: await withinBudgets(client, row, sitesOf(rows), openZones, now),
    staged: sum(({ state }) => state === 'staged'),
  };
}

function sitesOf(groups: readonly Group[]): SiteCounts[] {
  const sites = new Map<string, { ready: number; active: number }>();
  for (const group of groups) {
    const counts = sites.get(group.site) ?? { ready: 0, active: 0 };
    sites.set(group.site, counts);
    if (isActive(group)) counts.active += group.hosts;
    else if (group.isOpened && group.state === 'pending' && group.mayBegin) counts.ready += group.hosts;
  }
  return [...sites].map(([site, counts]) => ({ site, ...counts }));
}
