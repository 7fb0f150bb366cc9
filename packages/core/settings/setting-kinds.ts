import { labelKeyProblem, labelValueProblem } from '../selector/selector.ts';
import { DAY_MS, parseBytes, parseDuration } from '../units.ts';
import { badRepoReason } from '../text/hub-name.ts';
import { parseRedisUrl } from './redis-url.ts';

/**
 * Reads the text of a setting.
 *
 * @throws RangeError whose message says what would be right, without the text itself
 */
export type SettingKind<Value> = (text: string) => Value;

/** Longest pause that a timer of Node can have, in whole days: a longer one would end at once. */
const LONGEST_TIMER_DAYS = 24;

/** Any text of this form. */
export const textLike =
  (form: RegExp, right: string): SettingKind<string> =>
  (text) => {
    if (form.test(text)) return text;
    throw new RangeError(right);
  };

/** Any text at all. */
export const anyText: SettingKind<string> = (text) => text;

/** What an HTTP header can carry as one word. */
export const token = textLike(/^[\x21-\x7e]+$/, 'write it without spaces, line breaks and non-ASCII characters');

export function wholeNumber(least: number, most: number, right?: string): SettingKind<number> {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new RangeError(right ?? `write a whole number from ${least} to ${most}`);
  };
}

export function oneOf<const Word extends string>(words: readonly Word[]): SettingKind<Word> {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    throw new RangeError(`write ${words.slice(0, -1).join(', ')} or ${words.at(-1)}`);
  };
}

const YES = ['1', 'true', 'on', 'yes'];
const NO = ['0', 'false', 'off', 'no'];

export const flag: SettingKind<boolean> = (text) => {
  const word = text.toLowerCase();
  if (YES.includes(word)) return true;
  if (NO.includes(word)) return false;
  throw new RangeError('write on or off (or 1 and 0, true and false, yes and no)');
};

/** Bytes, at least 1. */
export const size: SettingKind<number> = (text) => {
  const bytes = reading(parseBytes, text, 'write a size such as 64M, 1.5GiB or 200MB');
  if (bytes >= 1) return bytes;
  throw new RangeError('write at least 1 byte, or leave it out');
};

/** Bytes per second, at least 1; `50M/s` is `50M`. */
export const rate: SettingKind<number> = (text) => {
  const right = 'write bytes per second, such as 50M or 200MB';
  const bytesPerSecond = reading(parseBytes, text.replace(/\/s(ec)?$/i, ''), right);
  if (bytesPerSecond >= 1) return bytesPerSecond;
  throw new RangeError('write at least 1 byte per second, or leave it out for no limit');
};

/** Milliseconds, above 0. */
export const duration: SettingKind<number> = (text) => {
  const ms = reading(parseDuration, text, 'write a duration such as 500ms, 30s, 5m, 2h or 7d');
  if (ms > 0) return ms;
  throw new RangeError('write a duration above 0');
};

/** Milliseconds that a timer counts. */
export const timerDuration: SettingKind<number> = (text) => {
  const ms = duration(text);
  if (ms >= 1 && ms <= LONGEST_TIMER_DAYS * DAY_MS) return ms;
  throw new RangeError(`write a duration from 1ms to ${LONGEST_TIMER_DAYS}d`);
};

/** Items between commas; empty ones are left out. */
export const listOf =
  <Value>(kind: SettingKind<Value>): SettingKind<readonly Value[]> =>
  (text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
      .map((item) => inList(kind, item));

function inList<Value>(kind: SettingKind<Value>, item: string): Value {
  try {
    return kind(item);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new RangeError(`"${withoutUser(item)}": ${cause.message}`, { cause });
  }
}

/** A text without user name and password of the URL in it; a password may hold @ and / although it should not. */
export const withoutUser = (text: string): string => text.replace(/\/\/.*@/, '//…@');

/** A list that names at least one thing. */
export const someOf =
  <Value>(kind: SettingKind<Value>, right: string): SettingKind<readonly Value[]> =>
  (text) => {
    const items = listOf(kind)(text);
    if (items.length > 0) return items;
    throw new RangeError(right);
  };

/** The text of a URL of one of these protocols, as it was written; `host:6379` looks like one without `//`. */
export function urlOf(
  protocols: readonly string[],
  right: string,
  { needsHost = true }: { readonly needsHost?: boolean } = {},
): SettingKind<string> {
  return (text) => {
    const url = text.includes('://') && URL.canParse(text) ? new URL(text) : undefined;
    if (url !== undefined && protocols.includes(url.protocol) && (!needsHost || url.hostname !== '')) return text;
    throw new RangeError(right);
  };
}

/** The text of a `REDIS_URL`, as it was written. */
export const redisUrl: SettingKind<string> = (text) => {
  parseRedisUrl(text);
  return text;
};

export const httpUrl = urlOf(['http:', 'https:'], 'write an http:// or https:// URL');

/** Where web pages come from, as browsers name it; `*` is everywhere. */
export const pageOrigin: SettingKind<string> = (text) => {
  if (text === '*' || (URL.canParse(text) && new URL(text).origin === text)) return text;
  throw new RangeError('write the origin of web pages without a path, such as https://app.example, or *');
};

/** One label of a host, `gpu=true`, in the grammar of Kubernetes labels. */
export const label: SettingKind<[key: string, value: string]> = (text) => {
  const [, key, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  if (key === undefined || value === undefined) throw new RangeError('write labels such as gpu=true,site=eu-1');
  const problem = labelKeyProblem(key) ?? labelValueProblem(value);
  if (problem !== undefined) throw new RangeError(`write labels such as gpu=true: "${text}" ${problem}`);
  return [key, value];
};

/** Where an API is: the token is the credential, so user name and password have no place in it. */
export const apiUrl: SettingKind<string> = (text) => {
  const { username, password } = new URL(httpUrl(text));
  if (username === '' && password === '') return text;
  throw new RangeError('write the URL without user name and password; the token goes into HAULIER_TOKEN');
};

/** A proxy, which may be written without its protocol. */
export const proxyUrl: SettingKind<string> = (text) =>
  urlOf(
    ['http:', 'https:'],
    'write http://host:port; other kinds of proxies are not supported',
  )(text.includes('://') ? text : `http://${text}`);

/** An address or a name that a server can listen on. */
export const bindAddress = textLike(
  /^([a-z0-9._-]+|[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*(%[\w.-]+)?)$/i,
  'write an address or a name of this machine without port and brackets, such as 0.0.0.0 or ::',
);

/** Where other hosts are looked for. */
export const mdns: SettingKind<'auto' | 'off' | { readonly interfaceAddress: string }> = (text) => {
  if (text === 'auto' || text === 'off') return text;
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => Number(part) <= 255))
    return { interfaceAddress: text };
  throw new RangeError('write auto, off, or the IPv4 address of a network interface of this host, such as 10.0.0.7');
};

/** `gateway.example=20M`: a host, with a port or without, and its most bytes per second. */
export const sourceLimit: SettingKind<[host: string, bytesPerSecond: number]> = (text) => {
  const [, host, limit] = /^([a-z0-9.-]+(?::\d+)?)=(.+)$/i.exec(text) ?? [];
  if (host === undefined) throw new RangeError('write a host and its bytes per second, such as gateway.example=20M');
  return [host.toLowerCase(), rate(limit!)];
};

/** `name=value` of a header of HTTP; the value may be percent-encoded, as OpenTelemetry writes it. */
export const headerPair: SettingKind<[name: string, value: string]> = (text) => {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9a-z-]+)=([\x20-\x7e]*)$/i.exec(text) ?? [];
  if (name === undefined) throw new RangeError('write headers such as authorization=Bearer%20abc');
  return [name.toLowerCase(), decodedValue(value!)];
};

function decodedValue(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** A part of a whole, 0 to 1. */
export const share: SettingKind<number> = (text) => {
  const part = Number(text);
  if (/^[\d.]+$/.test(text) && part >= 0 && part <= 1) return part;
  throw new RangeError('write a number from 0 to 1, such as 0.1');
};

/** `acme/whisper=whisper-base`: a repository of a hub, and the model that it shows. */
export const servedRepo: SettingKind<{ readonly repo: string; readonly model: string }> = (text) => {
  const at = text.indexOf('=');
  const [repo, model] = [text.slice(0, at), text.slice(at + 1)];
  const problem = at < 0 ? 'has no "="' : (badRepoReason(repo) ?? (model === '' ? 'names no model' : undefined));
  if (problem === undefined) return { repo, model };
  throw new RangeError(`write a repository and a model, such as acme/whisper=whisper-base ("${text}" ${problem})`);
};

function reading(parse: (text: string) => number, text: string, right: string): number {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new RangeError(right, { cause });
  }
}
