import { SETTINGS, type SettingOf } from '#core/settings/settings';
import { readSettings, unknownSettings, type Environment, type SettingValues } from '#os/settings';
import { CliError, EXIT } from './exit-code.ts';

export type CliSetting = SettingOf<'cli'>;

/**
 * Reads the settings that a command needs, so that a bad setting stops only the commands that use it.
 *
 * @throws CliError that names each bad variable, its value unless it is a secret, and what would be right
 */
export function settingsFrom<Name extends CliSetting>(
  env: Environment,
  ...names: readonly Name[]
): SettingValues<typeof SETTINGS, Name> {
  const { values, problems } = readSettings(SETTINGS, names, env);
  if (problems.length > 0) throw new CliError(EXIT.usage, problems.join('\n'));
  return values;
}

/** Whether the variable or its `_FILE` twin has a value. */
export const isGiven = (env: Environment, name: CliSetting): boolean =>
  [name, `${name}_FILE`].some((variable) => (env[variable]?.trim() ?? '') !== '');

/** One sentence for each unknown variable with the prefix of Haulier. */
export const unknownVariables = (env: Environment): readonly string[] => unknownSettings(SETTINGS, env);
