import { isIP } from 'node:net';

/** What an address may be used for. `forbidden` also covers cloud metadata services outside link-local. */
export type AddressClass = 'public' | 'private' | 'forbidden';

export interface ClassifiedAddress {
  readonly class: AddressClass;
  /** Why it is not public, for people: `loopback`, `link-local`, … */
  readonly what: string;
}

interface Block {
  readonly bytes: Uint8Array;
  readonly bits: number;
  readonly verdict: ClassifiedAddress;
}

const PUBLIC: ClassifiedAddress = { class: 'public', what: 'public' };

/**
 * Reads an IPv4 or IPv6 literal, without brackets; a zone (`%eth0`) is ignored.
 *
 * @returns 4 or 16 bytes in network order; undefined when the text is not a literal
 */
export function parseIp(text: string): Uint8Array | undefined {
  const bare = text.split('%')[0]!;
  const version = isIP(bare);
  return version === 0 ? undefined : parseLiteral(bare);
}

/** For what is known to be a literal. */
const parseLiteral = (text: string): Uint8Array =>
  text.includes(':') ? parseIpv6(text) : Uint8Array.from(text.split('.'), Number);

function parseIpv6(text: string): Uint8Array {
  const lastColon = text.lastIndexOf(':');
  const tail = text.slice(lastColon + 1);
  const [head, rest] = (tail.includes('.') ? text.slice(0, lastColon + 1) + groupsOfIpv4(tail) : text).split('::');
  const left = groupsOf(head!);
  const right = rest === undefined ? [] : groupsOf(rest);
  const groups = [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

const groupsOf = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));

function groupsOfIpv4(text: string): string {
  const [a, b, c, d] = text.split('.').map(Number) as [number, number, number, number];
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

/** True when the first `bits` bits agree; addresses of different families never do. */
export function inBlock(address: Uint8Array, block: Uint8Array, bits: number): boolean {
  if (address.length !== block.length) return false;
  const whole = bits >> 3;
  for (let i = 0; i < whole; i += 1) if (address[i] !== block[i]) return false;
  const mask = (0xff00 >> (bits & 7)) & 0xff;
  return mask === 0 || ((address[whole]! ^ block[whole]!) & mask) === 0;
}

/**
 * Says what kind of address this is. IPv6 forms that carry an IPv4 address (mapped, NAT64, 6to4, Teredo) are
 * judged by what they carry, because that is where the packets end up.
 *
 * @see RFC 6890 and the IANA special-purpose address registries
 */
export function classifyIp(address: Uint8Array): ClassifiedAddress {
  if (address.length === 4) return find(IPV4_BLOCKS, address) ?? PUBLIC;
  if (inBlock(address, MAPPED, 96) || inBlock(address, NAT64, 96)) return classifyIp(address.subarray(12));
  if (inBlock(address, SIX_TO_FOUR, 16)) return classifyIp(address.subarray(2, 6));
  if (inBlock(address, TEREDO, 32)) return classifyTeredo(address);
  const special = find(IPV6_BLOCKS, address);
  if (special) return special;
  return (address[0]! & 0xe0) === 0x20 ? PUBLIC : forbidden('reserved');
}

/** RFC 4380: bytes 4–7 are the server, bytes 12–15 the client's address with every bit turned. */
function classifyTeredo(address: Uint8Array): ClassifiedAddress {
  const server = classifyIp(address.subarray(4, 8));
  return server.class === 'public' ? classifyIp(address.subarray(12).map((byte) => byte ^ 0xff)) : server;
}

const find = (blocks: readonly Block[], address: Uint8Array): ClassifiedAddress | undefined =>
  blocks.find((block) => inBlock(address, block.bytes, block.bits))?.verdict;

function forbidden(what: string): ClassifiedAddress {
  return { class: 'forbidden', what };
}

function block(cidr: string, verdict: ClassifiedAddress): Block {
  const [address, bits] = cidr.split('/');
  return { bytes: parseLiteral(address!), bits: Number(bits), verdict };
}

const forbid = (what: string, ...cidrs: string[]): Block[] => cidrs.map((cidr) => block(cidr, forbidden(what)));
const restrict = (what: string, ...cidrs: string[]): Block[] =>
  cidrs.map((cidr) => block(cidr, { class: 'private', what }));

/** The first match counts: single metadata addresses come before the blocks they lie in. */
const IPV4_BLOCKS: readonly Block[] = [
  ...forbid('cloud metadata', '100.100.100.200/32', '168.63.129.16/32'),
  ...forbid('unspecified', '0.0.0.0/8'),
  ...forbid('loopback', '127.0.0.0/8'),
  ...forbid('link-local', '169.254.0.0/16'),
  ...restrict('private network', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'),
  ...restrict('carrier-grade NAT', '100.64.0.0/10'),
  ...forbid('documentation', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24'),
  ...forbid('reserved', '192.0.0.0/24', '192.88.99.0/24', '198.18.0.0/15', '240.0.0.0/4'),
  ...forbid('multicast', '224.0.0.0/4'),
];

const IPV6_BLOCKS: readonly Block[] = [
  ...forbid('cloud metadata', 'fd00:ec2::254/128'),
  ...forbid('loopback', '::1/128'),
  ...forbid('unspecified', '::/128'),
  ...forbid('link-local', 'fe80::/10'),
  ...restrict('unique local', 'fc00::/7'),
  ...forbid('multicast', 'ff00::/8'),
  ...forbid('documentation', '2001:db8::/32', '3fff::/20'),
  ...forbid('reserved', '2001:2::/48', '2001:10::/28', '2001:20::/28'),
];

const MAPPED = parseLiteral('::ffff:0:0');
const NAT64 = parseLiteral('64:ff9b::');
const SIX_TO_FOUR = parseLiteral('2002::');
const TEREDO = parseLiteral('2001::');
