import { VerifyError } from '#core/failure';
import { CliError, EXIT } from './exit-code.ts';

/** Runs a parser of what the user typed; what it cannot read or does not support becomes a usage error with the same sentence. */
export function usageOf<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof RangeError || error instanceof VerifyError)
      throw new CliError(EXIT.usage, error.message, { cause: error });
    throw error;
  }
}
