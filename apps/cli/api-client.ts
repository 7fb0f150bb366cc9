import { ApiError, UnreachableError } from '#client/api-error';
import { createClient, type ApiClient } from '#client/client';
import { CliError, EXIT, type ExitCode } from './exit-code.ts';
import { settingsFrom } from './settings.ts';

/** Where the API is. */
export const apiUrlOf = (env: NodeJS.ProcessEnv): string =>
  settingsFrom(env, 'HAULIER_URL').HAULIER_URL.replace(/\/+$/, '');

/** The API as HAULIER_URL and HAULIER_TOKEN (or its `_FILE` twin) name it. */
export function clientFrom(env: NodeJS.ProcessEnv): ApiClient {
  return createClient({ baseUrl: apiUrlOf(env), token: settingsFrom(env, 'HAULIER_TOKEN').HAULIER_TOKEN });
}

/** Runs calls of the API; a refusal becomes one sentence and an exit code. */
export async function withApi<T>(calls: () => Promise<T>): Promise<T> {
  try {
    return await calls();
  } catch (error) {
    throw cliRefusal(error);
  }
}

/** @returns the error itself when it is no answer of the API */
export function cliRefusal(error: unknown): unknown {
  if (error instanceof UnreachableError)
    return new CliError(
      EXIT.unreachable,
      `${error.message}; start the API with \`haulier up\`, or set HAULIER_URL to its address`,
      {
        cause: error,
      },
    );
  if (!(error instanceof ApiError)) return error;
  const fields = (error.problem?.errors ?? [])
    .filter(({ detail }) => !error.message.includes(detail))
    .map(({ pointer, detail }) => `\n  ${pointer}: ${detail}`);
  const hint = error.status === 401 ? '; set HAULIER_TOKEN' : '';
  return new CliError(exitCodeOf(error), `${error.message}${fields.join('')}${hint}`, { cause: error });
}

function exitCodeOf({ status, problem }: ApiError): ExitCode {
  if (problem?.code === 'no-hosts-matched') return EXIT.nothingToDo;
  if (status === 401 || status === 403) return EXIT.notAllowed;
  if (status === 404) return EXIT.nothingToDo;
  return status >= 500 ? EXIT.serverError : EXIT.usage;
}
