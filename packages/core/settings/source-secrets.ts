import { parseJson } from '../text/parse-json.ts';

/** What a worker sends to one origin for the sources that name it. */
export interface SourceSecret {
  /** Scheme, host and port; the secret goes nowhere else. */
  readonly origin: string;
  /** Value of the header `Authorization`. */
  readonly authorization?: string | undefined;
  /** Added to the query, such as `token=…`. */
  readonly query?: string | undefined;
}

/** By name. */
export type SourceSecrets = Readonly<Record<string, SourceSecret>>;

export const SECRET_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;
export const SECRET_NAME_RULE = 'a name of a secret is 1 to 63 of a-z 0-9 . _ -, such as "mirror-eu"';

/** `HAULIER_SECRET_MIRROR_EU` holds the secret `mirror-eu` alone. */
export const SECRET_VARIABLE_PREFIX = 'HAULIER_SECRET_';

const FIELDS = ['origin', 'authorization', 'query', 'user', 'password'];
const EXAMPLE = '{"mirror-eu": {"origin": "https://files.example", "authorization": "Bearer …"}}';

/**
 * Reads the secrets of a worker: a JSON object of names. Each has an `origin`, and `authorization`, `query`, or `user` and `password`.
 *
 * @throws RangeError that names the secret and what would be right, without any value
 */
export function parseSourceSecrets(text: string): SourceSecrets {
  const found = parseJson(text);
  if (!isObject(found)) throw new RangeError(`write a JSON object of secrets by name, such as ${EXAMPLE}`);
  return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, secretOf(name, value)]));
}

/**
 * Reads one secret of a worker: a JSON object with an `origin`, and `authorization`, `query`, or `user` and `password`.
 *
 * @throws RangeError that names the secret and what would be right, without any value
 */
export const parseSourceSecret = (name: string, text: string): SourceSecret => secretOf(name, parseJson(text));

function secretOf(name: string, value: unknown): SourceSecret {
  const refuse = (why: string): never => {
    throw new RangeError(`the secret ${JSON.stringify(name.slice(0, 63))} ${why}`);
  };
  if (!SECRET_NAME.test(name)) refuse(`has another name than is possible: ${SECRET_NAME_RULE}`);
  if (!isObject(value)) return refuse(`is no object, such as ${EXAMPLE}`);
  const unknown = Object.keys(value).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) refuse(`has the unknown field ${JSON.stringify(unknown)}: ${FIELDS.join(', ')} are known`);
  const textOf = (field: string): string | undefined => {
    const given = value[field];
    if (given === undefined) return undefined;
    return typeof given === 'string' && given !== '' && !/[\r\n\0]/.test(given)
      ? given
      : refuse(`has a field ${field} that is no text of one line`);
  };
  const origin =
    originOf(textOf('origin')) ?? refuse('needs "origin": scheme, host and port, such as https://files.example');
  const [user, password] = [textOf('user'), textOf('password')];
  const authorization = textOf('authorization') ?? basicOf(user, password);
  const query = textOf('query')?.replace(/^[?&]+/, '');
  if (authorization === undefined && query === undefined)
    refuse('has nothing to send: give "authorization", "query", or "user" and "password"');
  return { origin, authorization, query };
}

/** @returns undefined for a text that is more, or less, than an origin */
function originOf(text: string | undefined): string | undefined {
  if (text === undefined || !URL.canParse(text)) return undefined;
  const { origin, href, protocol } = new URL(text);
  return /^https?:$/.test(protocol) && href === `${origin}/` ? origin : undefined;
}

/** @see RFC 7617 section 2.1 for the character set */
function basicOf(user: string | undefined, password: string | undefined): string | undefined {
  if (user === undefined && password === undefined) return undefined;
  const bytes = new TextEncoder().encode(`${user ?? ''}:${password ?? ''}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
