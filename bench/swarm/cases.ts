/** What every case of a round is told. */
export interface CaseParts {
  /** Letters of the chosen cases. */
  readonly only: ReadonlySet<string>;
  readonly quick: boolean;
  readonly sizeBytes: number;
  readonly round: number;
  readonly signal: AbortSignal;
}

export const LETTERS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'] as const;

/** @throws Error that names the letters for one that is none */
export function chosenCases(only: readonly string[]): ReadonlySet<string> {
  const chosen = only.map((one) => one.toLowerCase());
  const unknown = chosen.find((one) => !LETTERS.some((letter) => letter === one));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: the cases are ${LETTERS.join(', ')}`);
  return new Set(chosen.length === 0 ? LETTERS : chosen);
}
