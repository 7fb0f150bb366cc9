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
  /** Bytes that may leave the origin although other sites have them, and those that did or are leased; undefined: none. */
  readonly copies?: { readonly mostBytes: number; readonly copiedBytes: number } | undefined;
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
  /** What may leave the origin although other sites have it; bytes. */
  readonly copyBytes: number;
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
  const pieces = copied(choosePieces(has, counts, spare(want), random), sight);
  if (pieces.length === 0) return reasonOf(sight);
  if (sight.isPaused && pieces.every(({ from }) => from === 'origin')) return 'paused';
  const next = round.leases >= now.slots ? nextSlots(now, round.leases, round.totalMs) : undefined;
  const { slots } = next ?? now;
  const share = shareOfSlots(slots, sight.leechers);
  const copyBytes = sight.copies?.mostBytes ?? 0;
  return { pieces, most: want, share, slots, copyBytes, next, leaseMs: leaseMs(sight) };
}

/** Takes pieces that other sites have from the origin, while further copies may leave it. */
function copied(choices: readonly PieceChoice[], { copies, pieceBytes }: SwarmSight): readonly PieceChoice[] {
  let left = copies === undefined ? 0 : Math.floor((copies.mostBytes - copies.copiedBytes) / pieceBytes);
  return choices.map((choice) => (choice.from === 'site' && left-- > 0 ? { ...choice, from: 'origin' } : choice));
}

/** Whether something that the host lacks is only to come from hosts that hold leases. */
export function reasonOf({ has, counts: { siteHolders } }: Pick<SwarmSight, 'has' | 'counts'>): WaitReason {
  for (let piece = 0; piece < siteHolders.length; piece += 1)
    if (siteHolders[piece] === 0 && !has(piece)) return 'leased';
  return 'held';
}
