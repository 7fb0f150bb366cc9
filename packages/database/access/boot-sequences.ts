/** Sequences of one boot whose batches were applied, as ascending ranges, both ends included. */
export interface BootSequences {
  readonly boot: number;
  readonly seen: readonly (readonly [first: number, last: number])[];
}

/** Batches of earlier boots may still be on their way through another reader of the stream. */
const KEPT_BOOTS = 4;
/** Batches that were lost leave gaps; above this many the oldest gaps count as seen. */
const MAX_RANGES = 1000;

/**
 * Notes a batch as applied. Batches may come in any order, so the highest number says nothing.
 *
 * @param boots of one host, newest first
 * @returns the boots with it; undefined when the batch was applied before, or its boot is older than those that are kept
 */
export function withSequence(
  boots: readonly BootSequences[],
  boot: number,
  sequence: number,
): readonly BootSequences[] | undefined {
  const known = boots.find((one) => one.boot === boot);
  if (known === undefined) {
    if (boots.length >= KEPT_BOOTS && boot < boots.at(-1)!.boot) return undefined;
    const added: BootSequences = { boot, seen: [[sequence, sequence]] };
    return [...boots, added].sort((a, b) => b.boot - a.boot).slice(0, KEPT_BOOTS);
  }
  const seen = withNumber(known.seen, sequence);
  return seen === undefined ? undefined : boots.map((one) => (one === known ? { boot, seen } : one));
}

type Ranges = BootSequences['seen'];

function withNumber(ranges: Ranges, number: number): Ranges | undefined {
  if (ranges.some(([first, last]) => first <= number && number <= last)) return undefined;
  const before = ranges.filter(([, last]) => last < number - 1);
  const after = ranges.filter(([first]) => first > number + 1);
  const touching = ranges.slice(before.length, ranges.length - after.length);
  const first = Math.min(number, ...touching.map((range) => range[0]));
  const last = Math.max(number, ...touching.map((range) => range[1]));
  return bounded([...before, [first, last], ...after]);
}

const bounded = (ranges: Ranges): Ranges =>
  ranges.length <= MAX_RANGES ? ranges : [[ranges[0]![0], ranges[1]![1]], ...ranges.slice(2)];
