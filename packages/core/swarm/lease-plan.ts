import { choosePieces, type PieceChoice, type PieceCounts } from './choose-pieces.ts';
import { leaseMs } from './lease-time.ts';
import { FIRST_SLOTS, nextSlots, shareOfSlots, type OriginSlots } from './origin-slots.ts';

/** A swarm as one host sees it, when it wants leases. */
export interface SwarmSight {
  readonly has: (piece: number) => boolean;
  readonly pieceBytes: number;
  /** Leases that the host holds, and how many it wants to hold. */
  readonly leases: number;
  readonly want: number;
  /** Other hosts cannot fetch from it. */
  readonly isHidden: boolean;
  /** Hosts that fetch the file and that others can fetch from. */
  readonly leechers: number;
  readonly counts: PieceCounts;
  /** The origin wants to be left alone. */
  readonly isPaused: boolean;
  readonly ownMs: number | undefined;
  readonly averageMs: number | undefined;
  /** Undefined before the first round. */
  readonly slots: OriginSlots | undefined;
  /** Leases that ended with their piece in the present round, and the sum of their times. */
  readonly round: { readonly leases: number; readonly totalMs: number };
}

/** What to lease to the host, the most urgent first; the tracker leases those that are still free then. */
export interface LeasePlan {
  readonly pieces: readonly PieceChoice[];
  /** Leases that the host may hold, and how many of them on the origin. */
  readonly most: number;
  readonly share: number;
  /** Leases on the origin that all hosts may hold. */
  readonly slots: number;
  /** Begins the next round with this; undefined while the present one lasts. */
  readonly next: OriginSlots | undefined;
  readonly leaseMs: number;
}

/** Why a host gets fewer leases than it wants. */
export type WaitReason = 'leased' | 'held' | 'paused' | 'hidden';

/** More pieces than a host wants: other hosts may be given some of them first. */
const spare = (want: number): number => 4 * want + 16;

/**
 * @param random from 0 up to 1
 * @returns why there is nothing to lease, where that is so
 */
export function planLeases(sight: SwarmSight, random: () => number): LeasePlan | WaitReason {
  const { has, want, counts, round, slots: now = FIRST_SLOTS } = sight;
  // What it fetched would have to leave the origin again; but alone it has to fetch.
  if (sight.isHidden && sight.leechers > 0) return 'hidden';
  const pieces = choosePieces(has, counts, spare(want), random);
  if (pieces.length === 0) return reasonOf(sight);
  if (sight.isPaused && pieces.every(({ from }) => from === 'origin')) return 'paused';
  const next = round.leases >= now.slots ? nextSlots(now, round.leases, round.totalMs) : undefined;
  const { slots } = next ?? now;
  const share = shareOfSlots(slots, sight.leechers);
  return { pieces, most: want, share, slots, next, leaseMs: leaseMs(sight) };
}

/** Whether something that the host lacks is only to come from hosts that hold leases. */
export function reasonOf({ has, counts: { siteHolders } }: Pick<SwarmSight, 'has' | 'counts'>): WaitReason {
  for (let piece = 0; piece < siteHolders.length; piece += 1)
    if (siteHolders[piece] === 0 && !has(piece)) return 'leased';
  return 'held';
}
