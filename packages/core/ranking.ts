/** What is known of a source from earlier transfers. */
export interface PastHealth {
  /** Share of tries that succeeded, 0..1; undefined before the first. */
  readonly successRate: number | undefined;
  readonly bytesPerSecond: number | undefined;
}

export interface Candidate {
  readonly name: string;
  readonly health?: PastHealth | undefined;
  /** Place in the order that an admin set, from 1; undefined for a source that this order does not name. */
  readonly setPlace?: number | undefined;
}

export interface Ranked {
  readonly name: string;
  /** Position in the configured order, from 0. */
  readonly configuredIndex: number;
  readonly setPlace: number | undefined;
  readonly score: number;
  /** The reason in words, stored with the attempt. */
  readonly why: string;
}

/** Each place in the configured order is worth this much less than the one before. */
const PRIOR_STEP = 0.9;
const LEAST_SUCCESS = 0.02;
const SPEED_BOUNDS = { least: 0.4, most: 2.5 } as const;

/**
 * Orders sources: the configured order is the prior, measured success and speed move it. Sources that an admin gave a place come
 * first, in that order, whatever was measured. Pure, stable and explained.
 *
 * @param candidates in configured order
 * @returns best first; without measurements and places the configured order
 */
export function rank(candidates: readonly Candidate[]): Ranked[] {
  const usual = usualSpeed(candidates);
  return candidates
    .map((candidate, index) => score(candidate, index, usual))
    .sort((a, b) => setPlaceOf(a) - setPlaceOf(b) || b.score - a.score || a.configuredIndex - b.configuredIndex);
}

/** Behind all that have a place. */
const setPlaceOf = ({ setPlace }: Ranked): number => setPlace ?? Number.MAX_SAFE_INTEGER;

function score(candidate: Candidate, index: number, usualBytesPerSecond: number | undefined): Ranked {
  const { health, setPlace } = candidate;
  const set = setPlace === undefined ? [] : [`set ${ordinal(setPlace)} by an admin`];
  const reasons = [...set, `configured ${ordinal(index + 1)}`];
  let value = PRIOR_STEP ** index;
  if (health?.successRate !== undefined) {
    // Squared, because a failed try costs its time and the next one's as well.
    value *= Math.max(LEAST_SUCCESS, health.successRate) ** 2;
    reasons.push(`${Math.round(health.successRate * 100)} % of its tries succeed`);
  }
  if (health?.bytesPerSecond !== undefined && usualBytesPerSecond !== undefined) {
    const ratio = health.bytesPerSecond / usualBytesPerSecond;
    value *= Math.min(SPEED_BOUNDS.most, Math.max(SPEED_BOUNDS.least, Math.sqrt(ratio)));
    reasons.push(`${ratio.toFixed(1)} times the usual speed`);
  }
  return { name: candidate.name, configuredIndex: index, setPlace, score: value, why: reasons.join(', ') };
}

/** Geometric mean of the known speeds, so that one very fast source does not make all others slow. */
function usualSpeed(candidates: readonly Candidate[]): number | undefined {
  const speeds = candidates.flatMap((c) => (c.health?.bytesPerSecond ? [c.health.bytesPerSecond] : []));
  if (speeds.length === 0) return undefined;
  return Math.exp(speeds.reduce((sum, speed) => sum + Math.log(speed), 0) / speeds.length);
}

function ordinal(n: number): string {
  const suffix = ['th', 'st', 'nd', 'rd'][n % 100 > 10 && n % 100 < 14 ? 0 : n % 10] ?? 'th';
  return `${n}${suffix}`;
}
