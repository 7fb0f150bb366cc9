/**
 * How many pieces are fetched at once, and what was measured with that number: leases of a swarm on its origin, leases of a site on pieces of other
 * sites, or transfers of one host.
 */
export interface SlotTrial {
  readonly slots: number;
  /** The number before this one while this one is on trial; 0 otherwise. */
  readonly before: number;
  /** Pieces per millisecond that came with the number before. */
  readonly rate: number;
  /** Rounds until a greater number is tried. */
  readonly rounds: number;
}

/** As many as hosts upload at once: pieces come one after another, and hosts pass the first ones on while the others arrive. */
export const FIRST_SLOTS: SlotTrial = { slots: 2, before: 0, rate: 0, rounds: 2 };

const MOST_SLOTS = 256;
const GROWTH = 1.5;
/** A greater number has to bring at least this: where connections are limited it brings about 1.5, and measurements of few pieces differ by less. */
const WORTHWHILE_GAIN = 1.3;
/** The rate of before counts no more when it fell by this. */
const CLEAR_LOSS = 1.15;
const ROUNDS_BETWEEN_TRIALS = 4;

/**
 * The number for the next round. A sender that limits each connection gives more with more of them, and the number grows; one that is at its limit
 * gives each piece later, and the number goes back: few pieces at once are sooner with the other hosts.
 *
 * @param pieces that arrived since the round began
 * @param totalMs sum of the times that they took
 */
export function nextSlots(now: SlotTrial, pieces: number, totalMs: number): SlotTrial {
  const rate = (now.slots * pieces) / Math.max(1, totalMs);
  if (now.before > 0 && rate < WORTHWHILE_GAIN * now.rate)
    return { slots: now.before, before: 0, rate: now.rate, rounds: ROUNDS_BETWEEN_TRIALS };
  const isSlower = rate * CLEAR_LOSS < now.rate;
  if (now.before === 0 && now.rounds > 0 && !isSlower) return { ...now, rounds: now.rounds - 1 };
  const slots = Math.min(MOST_SLOTS, Math.ceil(now.slots * GROWTH));
  return slots === now.slots
    ? { ...now, before: 0, rate, rounds: ROUNDS_BETWEEN_TRIALS }
    : { slots, before: now.slots, rate, rounds: 0 };
}

/** Leases of one kind that one host may hold: an equal part of all, so that different hosts upload different pieces. */
export const shareOfSlots = (slots: number, leechers: number): number =>
  Math.max(1, Math.ceil(slots / Math.max(1, leechers)));
