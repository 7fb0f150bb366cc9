import { MIB } from '#core/units';
import { medianOf, type Measured } from './measured.ts';

/** The value of one run that a goal judges; `against` is the run of another variant in the same round. */
export type Look = (run: Measured, against: Measured) => number;

/** A bound that the median of a case must hold. */
export interface Goal {
  readonly id: string;
  /** Names of variants. */
  readonly of: string;
  readonly against?: string | undefined;
  readonly what: string;
  readonly look: Look;
  readonly direction: 'at most' | 'at least';
  readonly hold: number;
  readonly stretch?: number | undefined;
}

export interface GoalOutcome {
  readonly id: string;
  readonly of: string;
  readonly what: string;
  readonly value: number;
  readonly direction: Goal['direction'];
  readonly hold: number;
  readonly stretch: number | undefined;
  readonly held: boolean;
}

export const wallRatio: Look = (run, against) => run.wallMs / against.wallMs;
export const cpuRatio: Look = (run, against) => run.cpuMs / against.cpuMs;
export const cpuSeconds: Look = (run) => run.cpuMs / 1000;
export const peakMib: Look = (run) => run.peakBytes / MIB;
export const fact =
  (name: string): Look =>
  (run) =>
    run.facts?.[name] ?? NaN;

/** Ratios are taken round by round, and their median judged. */
export function judge(goal: Goal, names: readonly string[], results: readonly Measured[][]): GoalOutcome {
  const runs = results[names.indexOf(goal.of)] ?? [];
  const others = goal.against === undefined ? runs : (results[names.indexOf(goal.against)] ?? []);
  const value = medianOf(runs.flatMap((run, round) => (others[round] ? [goal.look(run, others[round])] : [])));
  const held = goal.direction === 'at most' ? value <= goal.hold : value >= goal.hold;
  const { id, of, what, direction, hold, stretch } = goal;
  return { id, of, what, value, direction, hold, stretch, held };
}
