import { SECOND_MS } from '#core/units';
import type { GoingRollout } from '#database/rollouts/rounds/conduct-rollout';
import { addLateHosts } from '#database/rollouts/create-rollout';
import { addHeldHosts, type HeldMember } from '#database/rollouts/holds';
import type { RolloutRow } from '#database/rollouts/rollout-row';
import type { HostRow } from '#database/hosts/host-queries';
import type { Dependencies } from '../dependencies.ts';
import { isOnline } from '../hosts/view.ts';
import { knownHosts, membersOf, siteOf } from './members.ts';

/** How often a rollout looks for hosts that match now. */
const EVERY_MS = 10 * SECOND_MS;

type MemberDeps = Pick<Dependencies, 'database' | 'now' | 'log' | 'hostOfflineAfterMs'>;

/** Gives rollouts of one round the hosts that match them later. */
export interface LaterMembers {
  /** @returns how many hosts joined; none when the rollout looked a moment ago */
  add(row: GoingRollout): Promise<number>;
}

/** @param rows rollouts of the round, of those that hold the newest decision first */
export function createLaterMembers(deps: MemberDeps, rows: readonly GoingRollout[]): LaterMembers {
  let reading: Promise<HostRow[]> | undefined;
  const hosts = (): Promise<HostRow[]> => (reading ??= knownHosts(deps.database));
  const holds = rows.filter(({ isHolding }) => isHolding);
  const add = async (row: GoingRollout): Promise<number> => {
    if (!row.spec.isDynamic || deps.now().getTime() - row.membersAt.getTime() < EVERY_MS) return 0;
    const newer = holds.slice(0, holds.indexOf(row));
    const added = row.isHolding
      ? await addHeldHosts(deps.database, row, heldMembers(deps, row, newer, await hosts()), deps.now())
      : await addDynamic(deps, row, await hosts());
    if (added > 0) deps.log.info({ rolloutId: row.id, added }, 'hosts joined a rollout after its creation');
    return added;
  };
  return { add };
}

function addDynamic(
  { database, now }: MemberDeps,
  { id, spec }: RolloutRow,
  hosts: readonly HostRow[],
): Promise<number> {
  const members = membersOf(hosts, spec).map((host) => ({ host: host.name, site: siteOf(host) }));
  return addLateHosts(database, id, members, now());
}

/** Only hosts that may begin now: one that is away joins when it is back. */
function heldMembers(
  deps: MemberDeps,
  row: RolloutRow,
  newer: readonly RolloutRow[],
  hosts: readonly HostRow[],
): HeldMember[] {
  const claims = newer.map(({ models, spec }) => ({
    models: new Set(models.map(({ name }) => name)),
    hosts: new Set(membersOf(hosts, spec).map(({ name }) => name)),
  }));
  const isClaimed = (host: string, model: string): boolean =>
    claims.some((claim) => claim.models.has(model) && claim.hosts.has(host));
  return membersOf(hosts, row.spec)
    .filter((host) => isOnline(host, deps) && !host.draining)
    .map((host) => ({
      host: host.name,
      site: siteOf(host),
      models: row.models.map(({ name }) => name).filter((model) => !isClaimed(host.name, model)),
    }));
}
