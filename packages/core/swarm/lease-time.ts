import { KIB, MINUTE_MS, SECOND_MS } from '../units.ts';

/** A host that fetches announces this often, and one that has all of its files this often. */
export const LEECHING_INTERVAL_MS = 2 * SECOND_MS;
export const SEEDING_INTERVAL_MS = 30 * SECOND_MS;
/** A host that missed so many announces is gone. */
export const MISSED_INTERVALS = 3;
/** A lease on which nothing arrived for this long is taken back; more than one announce, because those tell of the bytes. */
export const LEASE_STALL_MS = 3 * LEECHING_INTERVAL_MS;
/** So many other hosts have to say that a host cannot be fetched from; of a smaller swarm all others. */
export const NEEDED_REPORTS = 2;
/** How long a report of a host about another one counts, and how long a host is not named to others after enough of them. */
export const REPORT_MS = MINUTE_MS;
/** How long a host that sent wrong bytes takes no part in any swarm, and how long reports about that count. */
export const QUARANTINE_MS = 10 * MINUTE_MS;

/** Longest pause of an origin that one report of a host makes. */
export const PAUSE_MS = 5 * MINUTE_MS;

const LEAST_LEASE_MS = 3 * SECOND_MS;
const TIMES_EXPECTED = 4;
/** A host may be this many times as slow as the average; beyond, its leases end before it has the pieces. */
const TIMES_AVERAGE = 4;
/** Assumed of one request while nothing was measured. */
const FIRST_BYTES_PER_SECOND = 256 * KIB;

export interface PieceTimes {
  readonly pieceBytes: number;
  /** Average time of the leases of this host, and of those of all hosts; undefined before the first one. */
  readonly ownMs: number | undefined;
  readonly averageMs: number | undefined;
}

/** How long a host may hold a lease, in milliseconds: four times the time that it is expected to need, and at least 3 s. */
export function leaseMs({ pieceBytes, ownMs, averageMs }: PieceTimes): number {
  const expectedMs = ownMs ?? averageMs ?? (pieceBytes / FIRST_BYTES_PER_SECOND) * SECOND_MS;
  const bounded = averageMs === undefined ? expectedMs : Math.min(expectedMs, TIMES_AVERAGE * averageMs);
  return Math.round(Math.max(LEAST_LEASE_MS, TIMES_EXPECTED * bounded));
}
