import { WHOLE, type BasisPoints } from './rollout-spec.ts';

/** Numbers of hosts. Skipped hosts are in none of them: they left the denominator. */
export interface VerdictCounts {
  /** Hosts that the verdict is about. */
  readonly targeted: number;
  readonly succeeded: number;
  /** Ended without the files: failed, timed out or cancelled one by one. */
  readonly failed: number;
}

/**
 * @returns the least number of hosts that must succeed: the smallest `n` with `n × 10000 ≥ share × targeted`
 * (98 % of 240 hosts is 236)
 */
export const requiredHosts = (share: BasisPoints, targeted: number): number => Math.ceil((share * targeted) / WHOLE);

/** @returns the most hosts that may fail while success is still possible. */
export const allowedFailures = (share: BasisPoints, targeted: number): number =>
  targeted - requiredHosts(share, targeted);

/** True when enough hosts succeeded; the boundary itself is enough. */
export const isThresholdMet = (share: BasisPoints, { targeted, succeeded }: VerdictCounts): boolean =>
  succeeded * WHOLE >= share * targeted;

/** True when so many hosts failed that success is out of reach. */
export const isOutOfReach = (share: BasisPoints, { targeted, failed }: VerdictCounts): boolean =>
  failed > allowedFailures(share, targeted);

/** The last move of a rollout whose hosts are all final. `isOverdue`: its deadline ended it. */
export function verdictEvent(
  share: BasisPoints,
  counts: VerdictCounts,
  isOverdue: boolean,
): 'succeed' | 'succeed_partly' | 'fail' | 'time_out' {
  if (counts.succeeded === counts.targeted) return 'succeed';
  if (isThresholdMet(share, counts)) return 'succeed_partly';
  return isOverdue ? 'time_out' : 'fail';
}
