import { choosePieces, type LeaseFrom, type PieceChoice, type PieceCounts } from './choose-pieces.ts';
import { leaseMs } from './lease-time.ts';
import { nextSlots, shareOfSlots, type SlotTrial } from './slot-trial.ts';

/** A swarm as one host sees it, when it wants leases. */
export interface SwarmSight {
  readonly has: (piece: number) => boolean;
  readonly pieceBytes: number;
  /** Leases that the host holds, and how many it wants to hold. */
  readonly leases: number;
  readonly want: number;
  /** Other hosts cannot fetch from it. */
  readonly isHidden: boolean;
  /** No host of another site can fetch from it. */
  readonly isHiddenFar: boolean;
  /** Hosts that fetch the file and that hosts of some other site can fetch from; those of the site that its hosts can fetch from. */
  readonly leechers: number;
  readonly siteLeechers: number;
  readonly counts: PieceCounts;
  /** The origin asked for a pause that has not ended. */
  readonly isPaused: boolean;
  readonly ownMs: number | undefined;
  readonly averageMs: number | undefined;
  /** Bytes that may leave the origin although other sites have them, and those that did or are leased; undefined: none. */
  readonly copies?: { readonly mostBytes: number; readonly copiedBytes: number } | undefined;
  /** Of the leases on the origin, and of those on pieces of other sites that hosts of this site hold. */
  readonly rounds: Readonly<Record<LeaseFrom, LeaseRound>>;
}

/** Leases of one kind while their number is measured. */
export interface LeaseRound {
  readonly number: string;
  readonly slots: SlotTrial;
  /** Leases that ended with their piece in this round, and the sum of their times. */
  readonly leases: number;
  readonly totalMs: number;
}

/** What to lease to the host, the most urgent first; the tracker leases those that are still free then. */
export interface LeasePlan {
  readonly pieces: readonly PieceChoice[];
  /** Leases that the host may hold, and how many of them of each kind. */
  readonly most: number;
  readonly share: Readonly<Record<LeaseFrom, number>>;
  /** Leases on the origin that all hosts may hold, and leases on pieces of other sites that hosts of this site may hold. */
  readonly slots: Readonly<Record<LeaseFrom, number>>;
  /** What may leave the origin although other sites have it; bytes. */
  readonly copyBytes: number;
  /** Rounds that begin: the number of the one that they follow, and their slots. */
  readonly next: readonly { readonly from: LeaseFrom; readonly round: string; readonly slots: SlotTrial }[];
  readonly leaseMs: number;
}

/** Why a host gets fewer leases than it wants. */
export type WaitReason = 'leased' | 'held' | 'paused' | 'hidden';

/** Pieces that enter a site from other sites at once: they wait at hosts that upload to their own site too. */
const MOST_SITE_SLOTS = 8;

/** More pieces than a host wants: other hosts may be given some of them first. */
const spare = (want: number): number => 4 * want + 16;

/**
 * @param random from 0 up to 1
 * @returns why there is nothing to lease, where that is so
 */
export function planLeases(sight: SwarmSight, random: () => number): LeasePlan | WaitReason {
  const { has, want, counts, rounds, leechers, siteLeechers } = sight;
  // What it fetched, each other host would have to fetch again; but alone it has to fetch.
  if (sight.isHidden && siteLeechers > 0) return 'hidden';
  const chosen = copied(choosePieces(has, counts, spare(want), random), sight);
  const isForOthers = leechers > 0 && (sight.isHidden || sight.isHiddenFar);
  const pieces = isForOthers ? chosen.filter(({ from }) => from === 'site') : chosen;
  if (pieces.length === 0) return reasonOf(sight);
  if (sight.isPaused && pieces.every(({ from }) => from === 'origin')) return 'paused';
  const now = { origin: nextOf(rounds.origin, Infinity), site: nextOf(rounds.site, MOST_SITE_SLOTS) };
  const slots = { origin: now.origin.slots, site: now.site.slots };
  return {
    ...{ pieces, slots, most: want, copyBytes: sight.copies?.mostBytes ?? 0, leaseMs: leaseMs(sight) },
    share: { origin: shareOfSlots(slots.origin, leechers), site: shareOfSlots(slots.site, siteLeechers) },
    next: (['origin', 'site'] as const).flatMap((from) => {
      const { number: round, slots: before } = rounds[from];
      return now[from] === before ? [] : [{ from, round, slots: now[from] }];
    }),
  };
}

/** The same slots while the round lasts. */
function nextOf({ slots, leases, totalMs }: LeaseRound, most: number): SlotTrial {
  if (leases < slots.slots) return slots;
  const next = nextSlots(slots, leases, totalMs);
  return next.slots <= most ? next : { ...slots, rounds: slots.rounds + 1 };
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
