import { parseSourceSecret, SECRET_VARIABLE_PREFIX, type SourceSecrets } from '#core/settings/source-secrets';
import { readSettings, type Environment } from '#os/settings';

const FILE_TWIN = /_FILE$/;

/**
 * Reads secrets that have a variable of their own: `HAULIER_SECRET_MIRROR_EU`, or the file that `HAULIER_SECRET_MIRROR_EU_FILE` names, is
 * the secret `mirror-eu`.
 *
 * @returns the secrets by name, and a sentence for each variable that is bad, without its value
 */
export function readNamedSecrets(env: Environment): {
  readonly secrets: SourceSecrets;
  readonly problems: readonly string[];
} {
  const own = Object.keys(env).filter((name) => name.startsWith(SECRET_VARIABLE_PREFIX));
  const variables = [...new Set(own.map((name) => name.replace(FILE_TWIN, '')))].sort();
  const table = Object.fromEntries(
    variables.map((variable) => [
      variable,
      { kind: (text: string) => parseSourceSecret(secretNameOf(variable), text), isSecret: true as const },
    ]),
  );
  const { values, problems } = readSettings(table, variables, env);
  const given = variables.flatMap((variable) => {
    const secret = values[variable];
    return secret === undefined ? [] : [[secretNameOf(variable), secret] as const];
  });
  return { secrets: Object.fromEntries(given), problems };
}

/** Names of variables have neither small letters nor hyphens. */
const secretNameOf = (variable: string): string =>
  variable.slice(SECRET_VARIABLE_PREFIX.length).toLowerCase().replaceAll('_', '-');

/** @returns a sentence for each secret that both places have */
export const repeatedSecrets = (all: SourceSecrets, named: SourceSecrets): string[] =>
  Object.keys(named)
    .filter((name) => Object.hasOwn(all, name))
    .map((name) => `the secret "${name}" is in HAULIER_SECRETS and has a variable of its own: keep one of them`);
