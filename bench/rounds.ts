import type { Measured } from './measured.ts';

/** One way to do the work of a case. */
export interface Variant {
  readonly name: string;
  /** Before each run, not measured: removes what an earlier run left. */
  prepare(): Promise<void>;
  run(): Promise<Measured>;
}

export interface RoundOptions {
  readonly rounds: number;
  /** Before each run, not measured: gives every run the same memory to begin with. */
  level(): Promise<void>;
  say(line: string): void;
  readonly signal: AbortSignal;
  /** Default: one more round comes first and is not counted, in which caches fill and the engine's code is compiled. */
  readonly hasWarmUp?: boolean | undefined;
}

/**
 * Runs the variants in turn, A B C A B C…, so that whatever else the machine does falls on all of them.
 *
 * @returns what each variant cost in each round
 */
export async function interleave(
  variants: readonly Variant[],
  { rounds, level, say, signal, hasWarmUp = true }: RoundOptions,
): Promise<Measured[][]> {
  const results: Measured[][] = variants.map(() => []);
  for (let round = hasWarmUp ? 0 : 1; round <= rounds; round += 1) {
    for (const [index, variant] of variants.entries()) {
      signal.throwIfAborted();
      await level();
      await variant.prepare();
      const measured = await variant.run();
      if (round > 0) results[index]!.push(measured);
      const which = round === 0 ? 'warm-up' : `round ${round}/${rounds}`;
      say(
        `  ${which}  ${variant.name}: ${(measured.wallMs / 1000).toFixed(3)} s, CPU ${Math.round(measured.cpuMs)} ms`,
      );
    }
  }
  return results;
}
