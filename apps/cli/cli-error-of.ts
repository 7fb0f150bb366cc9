import { ExhaustedError, SourceError, StorageError, VerifyError } from '#core/failure';
import { CliError, EXIT } from './exit-code.ts';

/**
 * Turns an error that says which source, file or option failed, and why, into one sentence for the user. Any other error is a bug and
 * stays as it is.
 *
 * @param hintOf the words to add, such as the option to use
 */
export function cliErrorOf(error: unknown, hintOf: (error: Error) => string = () => ''): unknown {
  if (error instanceof RangeError) return new CliError(EXIT.usage, error.message, { cause: error });
  const isKnown =
    error instanceof SourceError ||
    error instanceof StorageError ||
    error instanceof VerifyError ||
    error instanceof ExhaustedError;
  if (!isKnown) return error;
  return new CliError(EXIT.failed, `${sentenceOf(error)}${hintOf(error)}`, { cause: error });
}

/** Adds source or path to a message that does not name it. */
function sentenceOf(error: SourceError | StorageError | VerifyError | ExhaustedError): string {
  const subject = error instanceof SourceError ? error.source : error instanceof StorageError ? error.path : '';
  return error.message.includes(subject) ? error.message : `${subject}: ${error.message}`;
}

/** Runs a parser of the command line; text that it cannot read or does not support becomes a usage error with the same sentence. */
export function usageOf<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof RangeError || error instanceof VerifyError)
      throw new CliError(EXIT.usage, error.message, { cause: error });
    throw error;
  }
}
