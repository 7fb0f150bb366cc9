/** What every bench is told. */
export interface BenchOptions {
  readonly rounds: number;
  /** Fewer hosts, smaller files or less history. */
  readonly quick: boolean;
  /** Undefined: the system's temporary folder. */
  readonly dir: string | undefined;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}
