/** What one run cost. */
export interface Measured {
  readonly wallMs: number;
  /** User and system time of all processes of the run; of programs to 10 ms. */
  readonly cpuMs: number;
  /** The largest resident set of one process (VmHWM). */
  readonly peakBytes: number;
  /** Further values of the case, by name. */
  readonly facts?: Readonly<Record<string, number>> | undefined;
}

/** @returns the middle value; NaN for none */
export function medianOf(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return NaN;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
