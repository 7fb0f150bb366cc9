import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { messageOf } from '#core/error-facts';
import { settingOf } from '#os/settings';
import { CliError, EXIT } from '../exit-code.ts';

export interface StackConfig {
  readonly home: string;
  readonly bind: string;
  readonly port: number;
  readonly databaseUrl: string | undefined;
  readonly redisUrl: string | undefined;
}

/** Root of all data: HAULIER_HOME, else `~/.haulier`. */
export const haulierHome = (env: NodeJS.ProcessEnv): string =>
  resolve(env['HAULIER_HOME'] || join(homedir(), '.haulier'));

/** @throws CliError that names the variable, its value and what would be right */
export function stackConfig(env: NodeJS.ProcessEnv): StackConfig {
  return {
    home: haulierHome(env),
    bind: env['HAULIER_BIND'] || '127.0.0.1',
    port: portOf(env),
    databaseUrl: serverUrl(env, 'DATABASE_URL', /^postgres(ql)?:$/, 'postgresql://user:password@host:5432/database'),
    redisUrl: serverUrl(env, 'REDIS_URL', /^rediss?:$/, 'redis://host:6379'),
  };
}

/** Where the API listens; 0 takes a free port. */
export function portOf(env: NodeJS.ProcessEnv): number {
  const port = Number(env['HAULIER_PORT'] || '7420');
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new CliError(
    EXIT.usage,
    `HAULIER_PORT is "${env['HAULIER_PORT']}": write a port from 0 (any free one) to 65535`,
  );
}

/** The value is not shown: it may hold a password. */
function serverUrl(env: NodeJS.ProcessEnv, name: string, protocol: RegExp, example: string): string | undefined {
  const value = secret(env, name);
  if (value === undefined || (URL.canParse(value) && protocol.test(new URL(value).protocol))) return value;
  throw new CliError(EXIT.usage, `${name} is not the URL of such a server: write ${example}, or leave it out`);
}

/** @throws CliError when the file that its `_FILE` twin names cannot be read */
export function secret(env: NodeJS.ProcessEnv, name: string): string | undefined {
  try {
    return settingOf(env, name);
  } catch (cause) {
    throw new CliError(EXIT.usage, messageOf(cause), { cause });
  }
}
