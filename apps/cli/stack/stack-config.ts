import { homeFolder } from '#os/home-folder';
import { settingsFrom } from '../settings.ts';
import { usageOf } from '../cli-error-of.ts';

export interface StackConfig {
  readonly home: string;
  readonly bind: string;
  readonly port: number;
  readonly databaseUrl: string | undefined;
  readonly redisUrl: string | undefined;
}

/**
 * Root of all data: HAULIER_HOME, else `~/.haulier`.
 *
 * @throws CliError where HAULIER_HOME is left out and the user has no home folder
 */
export const haulierHome = (env: NodeJS.ProcessEnv): string =>
  usageOf(() => homeFolder(settingsFrom(env, 'HAULIER_HOME').HAULIER_HOME));

/** @throws CliError that names the variable, its value and what would be right */
export function stackConfig(env: NodeJS.ProcessEnv): StackConfig {
  const settings = settingsFrom(env, 'HAULIER_BIND', 'HAULIER_PORT', 'DATABASE_URL', 'REDIS_URL');
  return {
    home: haulierHome(env),
    bind: settings.HAULIER_BIND,
    port: settings.HAULIER_PORT,
    databaseUrl: settings.DATABASE_URL,
    redisUrl: settings.REDIS_URL,
  };
}
