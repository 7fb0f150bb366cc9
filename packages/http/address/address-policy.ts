import { classifyIp, inBlock, parseIp } from './ip-address.ts';

/** Where connections may go; made by `parseAddressPolicy`. */
export interface AddressPolicy {
  readonly allowPrivate: boolean;
  readonly rules: readonly AllowRule[];
}

type AllowRule =
  | { readonly kind: 'block'; readonly bytes: Uint8Array; readonly bits: number; readonly port: number | undefined }
  | { readonly kind: 'host'; readonly host: string; readonly port: number | undefined };

/** One end of a connection: the name that was asked for, and the address it resolved to. */
export interface Endpoint {
  /** As in a URL, without brackets, lower case. */
  readonly host: string;
  readonly port: number;
  /** An IP literal. */
  readonly address: string;
}

/**
 * Compiles the operator's setting (HAULIER_ALLOW_ADDRESSES, --allow-private).
 *
 * @param allow entries `10.0.0.0/8`, `192.168.1.5`, `[fd00::1]:8080`, `gateway.lan` or `gateway.lan:8080`; a name
 *   stands for itself only, whatever it resolves to
 * @throws RangeError that names the entry and the accepted forms
 */
export function parseAddressPolicy(allow: readonly string[], allowPrivate = false): AddressPolicy {
  return { allowPrivate, rules: allow.map(parseRule) };
}

/** A name, an IPv4 literal or a bracketed IPv6 literal; then a prefix length, then a port. */
const ENTRY = /^(?:\[([0-9a-f:.]+)\]|([^[\]/:]+))(?:\/(\d{1,3}))?(?::(\d{1,5}))?$/;
/** An IPv6 literal without brackets has no port. */
const BARE_IPV6 = /^([0-9a-f.]*:[0-9a-f:.]*:[0-9a-f.]*)(?:\/(\d{1,3}))?$/;

function parseRule(entry: string): AllowRule {
  const text = entry.trim().toLowerCase();
  const bare = BARE_IPV6.exec(text);
  const [host, bits, portText] = bare ? [bare[1], bare[2]] : hostBitsPort(ENTRY.exec(text));
  if (host === undefined) throw badRule(entry);
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && port > 65535) throw badRule(entry);
  const bytes = parseIp(host);
  if (bytes) return blockRule(entry, bytes, bits, port);
  if (bits !== undefined || !/^[a-z0-9._-]+$/.test(host)) throw badRule(entry);
  return { kind: 'host', host, port };
}

const hostBitsPort = (match: RegExpExecArray | null): (string | undefined)[] =>
  match ? [match[1] ?? match[2], match[3], match[4]] : [];

function blockRule(
  entry: string,
  bytes: Uint8Array,
  bitsText: string | undefined,
  port: number | undefined,
): AllowRule {
  const bits = bitsText === undefined ? bytes.length * 8 : Number(bitsText);
  if (bits > bytes.length * 8) throw badRule(entry);
  return { kind: 'block', bytes, bits, port };
}

const badRule = (entry: string): RangeError =>
  new RangeError(
    `"${entry}" is not an address to allow: write for example 10.0.0.0/8, gateway.lan or gateway.lan:8080`,
  );

/**
 * Judges one connection by the address it really goes to.
 *
 * @returns undefined when it may be opened; otherwise why not and which setting would allow it
 */
export function refusalOf(policy: AddressPolicy, endpoint: Endpoint): string | undefined {
  const bytes = parseIp(endpoint.address);
  if (!bytes) return `"${endpoint.address}" is not an IP address`;
  const { class: kind, what } = classifyIp(bytes);
  if (kind === 'public' || (kind === 'private' && policy.allowPrivate)) return undefined;
  if (policy.rules.some((rule) => allows(rule, endpoint, bytes))) return undefined;
  const shown = endpoint.address === endpoint.host ? endpoint.address : `${endpoint.host} (${endpoint.address})`;
  const setting = kind === 'private' ? 'HAULIER_ALLOW_ADDRESSES or --allow-private' : 'HAULIER_ALLOW_ADDRESSES';
  return `${shown} is a ${what} address; ${setting} would allow it`;
}

function allows(rule: AllowRule, endpoint: Endpoint, address: Uint8Array): boolean {
  if (rule.port !== undefined && rule.port !== endpoint.port) return false;
  if (rule.kind === 'host') return rule.host === endpoint.host;
  return (
    inBlock(address, rule.bytes, rule.bits) ||
    (mappedTo(address, rule.bytes) && inBlock(address.subarray(12), rule.bytes, rule.bits))
  );
}

/** ::ffff:a.b.c.d is a.b.c.d, so an IPv4 block covers it. */
const mappedTo = (address: Uint8Array, block: Uint8Array): boolean =>
  address.length === 16 &&
  block.length === 4 &&
  address.subarray(0, 10).every((byte) => byte === 0) &&
  address[10] === 0xff &&
  address[11] === 0xff;
