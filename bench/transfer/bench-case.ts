import type { Goal } from '../goals.ts';
import type { Variant } from '../rounds.ts';
import type { Lab } from './lab.ts';

/** One thing to measure. */
export interface BenchCase {
  /** For `--only`. */
  readonly name: string;
  title(quick: boolean): string;
  /** Rounds at most, where one round takes long. */
  readonly mostRounds?: number | undefined;
  /** Runs only when `--only` names it. */
  readonly isExtra?: boolean | undefined;
  readonly goals: readonly Goal[];
  /** The first variant is what the others are compared with. */
  prepare(lab: Lab): Promise<Prepared>;
}

export interface Prepared {
  readonly variants: readonly Variant[];
  /** What every run writes, so that each begins on the same ground (`levelGround`). */
  readonly writtenBytes: number;
  readonly notes?: readonly string[] | undefined;
}
