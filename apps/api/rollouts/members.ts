import type { RolloutSpec, WaveSpec } from '#core/rollout/rollout-spec';
import { SITE_LABEL, labelsOf, selectableOf } from '#core/selector/host-labels';
import { isSelected, parseSelector, type Selectable } from '#core/selector/selector';
import { listHosts, type HostRow } from '#database/hosts/host-queries';
import type { Database } from '#database/sql/connect';

const MAX_HOSTS = 100_000;

/** @returns every host that was ever heard of, by name */
export const knownHosts = (database: Database): Promise<HostRow[]> => listHosts(database, MAX_HOSTS);

/** Which hosts a rollout is for. */
export type Membership = Pick<RolloutSpec, 'selector' | 'exclude'>;

/** @returns those of the hosts that are meant */
export function membersOf(hosts: readonly HostRow[], { selector, exclude }: Membership): HostRow[] {
  const conditions = parseSelector(selector);
  const left = new Set(exclude);
  return hosts.filter((host) => !left.has(host.name) && isSelected(conditions, selectableOf(host)));
}

/** Hosts without the label share the empty name. */
export const siteOf = (host: HostRow): string => labelsOf(host)[SITE_LABEL] ?? '';

/**
 * The order in which waves take hosts: those that an earlier wave prefers, then those that are online, then one of each site in turn.
 */
export function inOrderOfWaves(
  hosts: readonly HostRow[],
  waves: readonly WaveSpec[],
  isReady: (host: HostRow) => boolean,
): HostRow[] {
  const preferences = waves.map(({ prefer }) => (prefer === undefined ? undefined : parseSelector(prefer)));
  const rankOf = (host: Selectable): number => {
    const index = preferences.findIndex((selector) => selector !== undefined && isSelected(selector, host));
    return index < 0 ? waves.length : index;
  };
  const seenAtSite = new Map<string, number>();
  const keyed = hosts.map((host) => {
    const rank = rankOf(selectableOf(host));
    const group = `${rank} ${isReady(host)} ${siteOf(host)}`;
    const turn = seenAtSite.get(group) ?? 0;
    seenAtSite.set(group, turn + 1);
    return { host, key: [rank, isReady(host) ? 0 : 1, turn] as const };
  });
  keyed.sort((a, b) => a.key[0] - b.key[0] || a.key[1] - b.key[1] || a.key[2] - b.key[2]);
  return keyed.map(({ host }) => host);
}
