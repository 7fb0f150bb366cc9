/** One Redis, a Redis that Sentinels watch, or a Redis Cluster: what a `REDIS_URL` says. */
export interface RedisAddress {
  readonly form: 'one' | 'sentinel' | 'cluster';
  /** The server, the Sentinels, or some nodes of the cluster; at least one. */
  readonly nodes: readonly RedisNode[];
  readonly tls: boolean;
  /** Of the servers that hold the keys. */
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Number of the database; always 0 in a cluster. */
  readonly database: number;
  /** What the Sentinels call the master; undefined in the other forms. */
  readonly master: string | undefined;
  /** Of the Sentinels themselves, where they want credentials. */
  readonly sentinelUsername: string | undefined;
  readonly sentinelPassword: string | undefined;
  /** Of the addresses that names are resolved to; 0 is any. */
  readonly family: 0 | 4 | 6;
}

export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

const FORMS: Readonly<Record<string, Pick<RedisAddress, 'form' | 'tls'>>> = {
  redis: { form: 'one', tls: false },
  rediss: { form: 'one', tls: true },
  'redis+sentinel': { form: 'sentinel', tls: false },
  'rediss+sentinel': { form: 'sentinel', tls: true },
  'redis+cluster': { form: 'cluster', tls: false },
  'rediss+cluster': { form: 'cluster', tls: true },
};

const DEFAULT_PORTS: Readonly<Record<RedisAddress['form'], number>> = { one: 6379, sentinel: 26_379, cluster: 6379 };

const EXAMPLES: Readonly<Record<RedisAddress['form'], string>> = {
  one: 'redis://host:6379, with a password redis://:password@host:6379, with TLS rediss://',
  sentinel: 'redis+sentinel://:password@sentinel-1:26379,sentinel-2/mymaster/0, with TLS rediss+sentinel://',
  cluster: 'redis+cluster://:password@node-1:6379,node-2, with TLS rediss+cluster://',
};

const ANY_FORM =
  `write ${EXAMPLES.one}; ` +
  'for Sentinel redis+sentinel://host:26379,host/mymaster/0, for a cluster redis+cluster://host:6379,host';

const URL_PARTS = /^([a-z+]+):\/\/(?:([^@]*)@)?([^/?#@]*)(\/[^?#]*)?(?:\?([^#]*))?$/i;

/**
 * Reads a `REDIS_URL`. Several hosts stand between commas, each with its port or without; user name and password are
 * percent-encoded and are those of the servers that hold the keys. `sentinelUsername` and `sentinelPassword` in the
 * query are those of the Sentinels; `family` is 0, 4 or 6.
 *
 * @throws RangeError whose message says what would be right, without the text itself, because it may hold a password
 */
export function parseRedisUrl(text: string): RedisAddress {
  const [, scheme = '', user, hosts = '', path = '', query] = URL_PARTS.exec(text) ?? [];
  const kind = FORMS[scheme.toLowerCase()];
  if (kind === undefined) throw new RangeError(ANY_FORM);
  const right = `write ${EXAMPLES[kind.form]}`;
  const parameters = parametersOf(query, kind.form, right);
  const nodes = nodesOf(hosts, kind.form, right);
  return {
    ...kind,
    nodes,
    ...credentialsOf(user, right),
    ...placeOf(path, kind.form, right),
    sentinelUsername: parameters.get('sentinelUsername'),
    sentinelPassword: parameters.get('sentinelPassword'),
    family: familyOf(parameters.get('family') ?? '0'),
  };
}

function credentialsOf(user: string | undefined, right: string): Pick<RedisAddress, 'username' | 'password'> {
  const [, name = '', password] = /^([^:]*)(?::(.*))?$/s.exec(user ?? '') ?? [];
  return { username: decoded(name, right) || undefined, password: decoded(password ?? '', right) || undefined };
}

function decoded(text: string, right: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new RangeError(`${right}; a % in a name or a password is written %25`, { cause });
  }
}

function nodesOf(hosts: string, form: RedisAddress['form'], right: string): RedisNode[] {
  const nodes = hosts.split(',').map((host) => nodeOf(host.trim(), DEFAULT_PORTS[form]));
  if (nodes.some((node) => node === undefined)) throw new RangeError(right);
  if (form === 'one' && nodes.length > 1)
    throw new RangeError(
      'write one host, or say what several hosts are: redis+sentinel://host,host/mymaster or redis+cluster://host,host',
    );
  return nodes as RedisNode[];
}

/** A name, an IPv4 address, or an IPv6 address in brackets, and a port or none. */
function nodeOf(text: string, defaultPort: number): RedisNode | undefined {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = bracketed ?? plain;
  const number = port === undefined ? defaultPort : Number(port);
  return host === undefined || number < 1 || number > 65_535 ? undefined : { host, port: number };
}

function placeOf(path: string, form: RedisAddress['form'], right: string): Pick<RedisAddress, 'database' | 'master'> {
  const parts = path.split('/').slice(1);
  const master = form === 'sentinel' ? decoded(parts.shift() ?? '', right) : undefined;
  if (master === '') throw new RangeError(`${right}; the name of the master comes after the Sentinels`);
  const [database = '', ...more] = parts;
  if (more.length > 0 || !/^\d{0,5}$/.test(database)) throw new RangeError(right);
  if (form === 'cluster' && Number(database) !== 0)
    throw new RangeError('write it without the number of a database: a cluster has only database 0');
  return { database: Number(database), master };
}

function parametersOf(query: string | undefined, form: RedisAddress['form'], right: string): Map<string, string> {
  const parameters = new Map(new URLSearchParams(query ?? ''));
  const known = ['family', ...(form === 'sentinel' ? ['sentinelUsername', 'sentinelPassword'] : [])];
  const unknown = [...parameters.keys()].find((name) => !known.includes(name));
  if (unknown === undefined) return parameters;
  throw new RangeError(`${right}; after the ? may come ${known.join(', ')}, not ${unknown}`);
}

function familyOf(text: string): RedisAddress['family'] {
  const family = ([0, 4, 6] as const).find((number) => String(number) === text);
  if (family !== undefined) return family;
  throw new RangeError('write family=0 (any), family=4 or family=6');
}
