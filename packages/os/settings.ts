import { readFileSync } from 'node:fs';
import { messageOf } from '#core/error-facts';
import { nearestOf } from '#core/text/nearest';
import { withoutUser } from '#core/settings/setting-kinds';
import { SECRET_VARIABLE_PREFIX } from '#core/settings/source-secrets';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the reader needs to know of one variable; core/settings.ts has them all. */
interface Setting {
  readonly kind: (text: string) => unknown;
  readonly default?: string;
  readonly isSecret?: true;
  readonly alias?: string;
}

type Table = Readonly<Record<string, Setting>>;

/** A setting without a default may have no value. */
type ValueOf<One extends Setting> = One extends { readonly default: string }
  ? ReturnType<One['kind']>
  : ReturnType<One['kind']> | undefined;

export type SettingValues<All extends Table, Name extends keyof All> = { readonly [N in Name]: ValueOf<All[N]> };

const readText = (path: string): string => readFileSync(path, 'utf8');

/**
 * Reads settings: each is the variable, else the content of the file that its `_FILE` twin names, as Docker and systemd hand
 * secrets over, else its default. White space around a value is no part of it; a variable set to nothing, as compose files do,
 * counts as left out.
 *
 * @param required those that must have a value
 * @returns the values, and a sentence for each variable that is bad or missing, with what would be right; a value that is bad is
 *   its default
 */
export function readSettings<All extends Table, Name extends keyof All & string>(
  table: All,
  names: readonly Name[],
  env: Environment,
  { required = [], readFile = readText }: { required?: readonly Name[]; readFile?: (path: string) => string } = {},
): { readonly values: SettingValues<All, Name>; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const values: Partial<Record<Name, unknown>> = {};
  for (const name of names) {
    const setting = table[name]!;
    try {
      const given = givenText(env, name, setting, readFile);
      if (given === undefined && required.includes(name)) problems.push(`${name} is missing: set it, or ${name}_FILE`);
      values[name] = given === undefined ? defaultOf(setting) : parsed(name, setting, given);
    } catch (error) {
      problems.push(messageOf(error));
      values[name] = defaultOf(setting);
    }
  }
  return { values: values as SettingValues<All, Name>, problems };
}

/** Names of ours that are not in the table are most likely mistyped. */
const OWN_PREFIX = 'HAULIER_';
/** Variables with these prefixes are for the tests alone, and for secrets whose names the operator chooses. */
const FREE_PREFIXES = ['HAULIER_TEST_', SECRET_VARIABLE_PREFIX];
/** What Kubernetes sets in every pod for a Service that is named haulier or haulier-something. */
const SERVICE_LINK = /(_SERVICE_(HOST|PORT(_\w+)?)|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

/** @returns a sentence for each variable that looks like ours and is not known, without its value */
export function unknownSettings(table: Table, env: Environment): readonly string[] {
  const known = new Set(Object.keys(table).flatMap((name) => [name, `${name}_FILE`]));
  const isOdd = (name: string): boolean =>
    name.startsWith(OWN_PREFIX) &&
    !FREE_PREFIXES.some((prefix) => name.startsWith(prefix)) &&
    !known.has(name) &&
    !SERVICE_LINK.test(name);
  return Object.keys(env)
    .filter(isOdd)
    .map((name) => {
      const near = nearestOf(name, known);
      return `${name} is no setting and has no effect${near === undefined ? '' : `: did you mean ${near}?`}`;
    });
}

/** @throws Error that names the variable and the file that cannot be read */
function givenText(
  env: Environment,
  name: string,
  { alias }: Setting,
  readFile: (path: string) => string,
): string | undefined {
  const direct = trimmed(env[name]);
  const path = trimmed(env[`${name}_FILE`]);
  if (direct !== undefined) return direct;
  if (path === undefined) return alias === undefined ? undefined : trimmed(env[alias]);
  try {
    return trimmed(readFile(path));
  } catch (cause) {
    throw new Error(`${name}_FILE is "${path}", which cannot be read: ${messageOf(cause)}`, { cause });
  }
}

const trimmed = (text: string | undefined): string | undefined => text?.trim() || undefined;

const defaultOf = (setting: Setting): unknown =>
  setting.default === undefined ? undefined : setting.kind(setting.default);

/** @throws Error that names the variable, its value where it is no secret, and what would be right */
function parsed(name: string, setting: Setting, text: string): unknown {
  try {
    return setting.kind(text);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const value = setting.isSecret ? 'not usable (its value is a secret and not shown)' : `"${withoutUser(text)}"`;
    const service = SERVICE_LINK.test(name) && text.startsWith('tcp://') ? KUBERNETES : '';
    throw new Error(`${name} is ${value}: ${cause.message}${service}`, { cause });
  }
}

const KUBERNETES =
  ' (Kubernetes sets this for a Service of that name: set the variable yourself, or enableServiceLinks: false)';
