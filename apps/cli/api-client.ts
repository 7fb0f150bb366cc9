import { ApiError, UnreachableError } from '#client/api-error';
import { createClient, type ApiClient } from '#client/client';
import type { CommandContext } from './context.ts';
import { readLogins } from './access/login-file.ts';
import { CliError, EXIT, type ExitCode } from './exit-code.ts';
import { settingsFrom } from './settings.ts';

/** Where the API is: HAULIER_URL, else where the user logged in last, else this machine. */
export function apiUrlOf(env: NodeJS.ProcessEnv): string {
  const { HAULIER_URL } = settingsFrom(env, 'HAULIER_URL');
  const isGiven = Boolean(env['HAULIER_URL']?.trim() || env['HAULIER_URL_FILE']?.trim());
  return withoutSlash(isGiven ? HAULIER_URL : (readLogins(env).current ?? HAULIER_URL));
}

export const withoutSlash = (url: string): string => url.replace(/\/+$/, '');

/** HAULIER_TOKEN (or its `_FILE` twin), else that of the login at this very API: a token goes to no other. */
export const apiTokenOf = (env: NodeJS.ProcessEnv): string | undefined =>
  settingsFrom(env, 'HAULIER_TOKEN').HAULIER_TOKEN ?? readLogins(env).tokens[apiUrlOf(env)];

/** The API that settings or a login name, and the token for it. */
export const clientFrom = (env: NodeJS.ProcessEnv): ApiClient =>
  createClient({ baseUrl: apiUrlOf(env), token: apiTokenOf(env) });

/** Runs calls of the API; a refusal becomes one sentence and an exit code. */
export async function withApi<T>(calls: () => Promise<T>): Promise<T> {
  try {
    return await calls();
  } catch (error) {
    throw cliRefusal(error);
  }
}

/** As `withApi`; with `--json` a refusal is a document as well: the problem as the API said it, and the exit code. */
export async function withApiDocument<T>(
  { json }: { readonly json?: boolean },
  { stdout }: Pick<CommandContext, 'stdout'>,
  calls: () => Promise<T>,
): Promise<T> {
  try {
    return await calls();
  } catch (error) {
    const told = cliRefusal(error);
    if (json && told instanceof CliError) {
      const problem = error instanceof ApiError ? error.problem : undefined;
      stdout.write(`${JSON.stringify({ ...(problem ?? { detail: told.message }), exitCode: told.exitCode })}\n`);
    }
    throw told;
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
  const hint = error.status === 401 ? '; set HAULIER_TOKEN, or log in with haulier login' : '';
  return new CliError(exitCodeOf(error), `${error.message}${fields.join('')}${hint}`, { cause: error });
}

function exitCodeOf({ status, problem }: ApiError): ExitCode {
  if (problem?.code === 'no-hosts-matched') return EXIT.nothingToDo;
  if (status === 401 || status === 403) return EXIT.notAllowed;
  if (status === 404) return EXIT.nothingToDo;
  return status >= 500 || status === 429 ? EXIT.serverError : EXIT.usage;
}
