import { readFileSync } from 'node:fs';
import { messageOf } from '#core/error-facts';

export type Environment = Readonly<Record<string, string | undefined>>;

const readText = (path: string): string => readFileSync(path, 'utf8');

/**
 * One setting of the environment: the variable, else the content of the file that its `_FILE` twin names, as Docker and systemd
 * hand secrets over. White space around a value, such as the newline of a file, is no part of it. A variable set to nothing, as compose
 * files do, counts as left out.
 *
 * @throws Error that names the variable and the file that cannot be read
 */
export function settingOf(env: Environment, name: string, readFile = readText): string | undefined {
  const path = env[`${name}_FILE`];
  const value = env[name]?.trim();
  if (value || !path) return value || undefined;
  try {
    return readFile(path).trim() || undefined;
  } catch (cause) {
    throw new Error(`${name}_FILE is "${path}", which cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** @returns the settings of these names that are given, and a sentence for each that cannot be read */
export function settingsOf(
  env: Environment,
  names: readonly string[],
  readFile = readText,
): { readonly given: Record<string, string>; readonly problems: string[] } {
  const given: Record<string, string> = {};
  const problems: string[] = [];
  for (const name of names) {
    try {
      const value = settingOf(env, name, readFile);
      if (value !== undefined) given[name] = value;
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
  return { given, problems };
}
