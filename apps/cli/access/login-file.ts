import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codeOf, messageOf } from '#core/error-facts';
import { parseJson } from '#core/text/parse-json';
import { CliError, EXIT } from '../exit-code.ts';
import { haulierHome } from '../stack/stack-config.ts';

/** The APIs that this user logged in to. */
export interface Logins {
  /** The API of commands that are given no other. */
  readonly current: string | undefined;
  /** Token by the URL of its API. */
  readonly tokens: Readonly<Record<string, string>>;
}

const NONE: Logins = { current: undefined, tokens: {} };

/** `login.json` in HAULIER_HOME; only its owner may read it. */
export const loginPath = (env: NodeJS.ProcessEnv): string => join(haulierHome(env), 'login.json');

/**
 * @returns no login where the file is missing
 * @throws CliError for a file that cannot be read or holds something else
 */
export function readLogins(env: NodeJS.ProcessEnv): Logins {
  const path = loginPath(env);
  const text = textOf(path);
  if (text === undefined) return NONE;
  const found = parseJson(text);
  if (!isLogins(found))
    throw new CliError(EXIT.usage, `${path} holds no logins: remove it, and log in again with haulier login`);
  return found;
}

/** Replaces the file in one step, so that a reader never sees half of it. */
export function writeLogins(env: NodeJS.ProcessEnv, logins: Logins): void {
  const path = loginPath(env);
  const draft = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(draft, `${JSON.stringify(logins, undefined, 2)}\n`, { mode: 0o600 });
    renameSync(draft, path);
  } catch (cause) {
    rmSync(draft, { force: true });
    throw new CliError(EXIT.failed, `${path} cannot be written: ${messageOf(cause)}`, { cause });
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT' || codeOf(cause) === 'ENOTDIR') return undefined;
    throw new CliError(EXIT.usage, `${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

const isLogins = (value: unknown): value is Logins =>
  typeof value === 'object' &&
  value !== null &&
  'tokens' in value &&
  typeof value.tokens === 'object' &&
  value.tokens !== null &&
  Object.values(value.tokens).every((token) => typeof token === 'string') &&
  (!('current' in value) || typeof value.current === 'string');
