import { CliError, EXIT } from './exit-code.ts';

/** Runs a parser of what the user typed; its RangeError becomes a usage error with the same sentence. */
export function usageOf<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof RangeError) throw new CliError(EXIT.usage, error.message, { cause: error });
    throw error;
  }
}
