import { ExhaustedError, SourceError, StorageError, VerifyError } from '#core/failure';
import { CliError, EXIT } from './exit-code.ts';

/**
 * Everything that says who failed and why is the user's to read, not a bug of ours.
 *
 * @param hintOf what to add, such as the option to use
 * @returns the error itself when it is something else
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

/** Says who, where the message does not. */
function sentenceOf(error: SourceError | StorageError | VerifyError | ExhaustedError): string {
  const who = error instanceof SourceError ? error.source : error instanceof StorageError ? error.path : '';
  return error.message.includes(who) ? error.message : `${who}: ${error.message}`;
}
