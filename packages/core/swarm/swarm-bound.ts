import { SECOND_MS } from '../units.ts';

/** What may limit a swarm. */
export const BOTTLENECKS = ['origin', 'site-link', 'slowest-host', 'disk', 'uploads'] as const;

export type Bottleneck = (typeof BOTTLENECKS)[number];

/** What limits a swarm, for people. */
export const BOTTLENECK_TEXT: Readonly<Record<Bottleneck, string>> = {
  origin: 'the origin',
  'site-link': 'the link of a site',
  'slowest-host': 'the slowest host',
  disk: 'the disk of a host',
  uploads: 'what hosts give each other',
};

/** Rates are in bytes per second; 0 is one that was not measured. */
export interface SwarmRates {
  readonly sizeBytes: number;
  readonly origin: number;
  /** What entered each site, from its first lease to its last piece. */
  readonly sites: readonly number[];
  readonly hosts: readonly { readonly down: number; readonly up: number; readonly diskBound: boolean }[];
}

/** A term has to be this much greater than that of the origin to be named instead of it: measured rates of a swarm are near each other. */
const CLEARLY = 1.05;

/**
 * The least time in which all hosts can have the file at the measured rates: the greatest of S/U, S/min d and N·S/(U + Σu), with several sites also
 * of S/W.
 *
 * @returns undefined before the rate of the origin is known
 * @see Kumar and Ross, Peer-Assisted File Distribution: The Minimum Distribution Time (2006)
 */
export function swarmBound(
  rates: SwarmRates,
): { readonly boundMs: number; readonly bottleneck: Bottleneck } | undefined {
  const { sizeBytes, origin, sites, hosts } = rates;
  if (origin <= 0 || hosts.length === 0) return undefined;
  const slowest = hosts.reduce((slow, host) => (isSlower(host.down, slow.down) ? host : slow));
  const uploads = hosts.reduce((sum, { up }) => sum + up, 0);
  const link = Math.min(Infinity, ...sites.filter((rate) => rate > 0));
  const terms: readonly (readonly [Bottleneck, number])[] = [
    [slowest.diskBound ? 'disk' : 'slowest-host', slowest.down > 0 ? sizeBytes / slowest.down : 0],
    ['site-link', sites.length > 1 ? sizeBytes / link : 0],
    ['uploads', uploads > 0 ? (hosts.length * sizeBytes) / (origin + uploads) : 0],
  ];
  const [name, other] = terms.reduce((most, term) => (term[1] > most[1] ? term : most));
  const own = sizeBytes / origin;
  return {
    boundMs: Math.max(own, other) * SECOND_MS,
    bottleneck: other > CLEARLY * own ? name : 'origin',
  };
}

const isSlower = (rate: number, than: number): boolean => rate > 0 && (than <= 0 || rate < than);

/**
 * How many pieces so many hosts have.
 *
 * @param holders hosts that have each piece
 * @returns ascending by hosts
 */
export function replicationOf(holders: readonly number[]): { holders: number; pieces: number }[] {
  const counts = new Map<number, number>();
  for (const count of holders) counts.set(count, (counts.get(count) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => a - b).map(([count, pieces]) => ({ holders: count, pieces }));
}

/** @returns the pieces that the fewest hosts have, at most so many */
export const rarestOf = (holders: readonly number[], most: number): { piece: number; holders: number }[] =>
  holders
    .map((count, piece) => ({ piece, holders: count }))
    .sort((a, b) => a.holders - b.holders || a.piece - b.piece)
    .slice(0, most);
