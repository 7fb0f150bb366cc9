import { isIPv6 } from 'node:net';
import type { ResponseOutgoingPacket, ResponsePacket } from 'multicast-dns';
import { isSignedForSite, signForSite } from '#http/site-signature';

/** Type of the service that workers announce (DNS-SD, RFC 6763). */
export const SERVICE = '_haulier._tcp.local';
/** The question for all types of services (RFC 6763 section 9). */
export const ALL_SERVICES = '_services._dns-sd._udp.local';
/** A host that was not heard for this long is forgotten; hosts announce themselves more often. Seconds. */
export const TTL_S = 120;

export type MdnsRecord = ResponseOutgoingPacket['answers'][number];

const VERSION = '1';
const MAX_TXT_BYTES = 400;

/** What a host says of itself. Never which files it has: that is asked over HTTP. */
export interface HostRecord {
  /** As its server names itself to other hosts. */
  readonly peerId: string;
  readonly port: number;
  /** Label `site` of the host; empty without one. */
  readonly site: string;
  /** Digest of the list of what its store has; empty before it is known. */
  readonly inventory: string;
}

/** An announcement of another host that has the key of the site. */
export interface HeardHost extends HostRecord {
  /** Of IPv6; not signed. */
  readonly addresses: readonly string[];
  /** Zero: the host leaves. */
  readonly ttlSeconds: number;
}

/**
 * Makes the announcement of a host.
 *
 * @param addresses of the host, of both families
 * @param ttlSeconds 0 says that the host leaves
 * @param nowMs wall clock: the signature is good for some minutes
 * @returns the pointer of the service first, and what belongs to it
 */
export function announcementOf(
  { peerId, port, site, inventory }: HostRecord,
  siteKey: string,
  addresses: readonly string[],
  ttlSeconds: number,
  nowMs: number,
): [pointer: MdnsRecord, ...rest: MdnsRecord[]] {
  const [name, target, ttl] = [`${peerId}.${SERVICE}`, `${peerId}.local`, ttlSeconds];
  const says = { v: VERSION, id: peerId, port: String(port), site, inv: inventory };
  const text = Object.entries({ ...says, sig: signForSite(siteKey, METHOD, signedText(says), nowMs) });
  return [
    { name: SERVICE, type: 'PTR', ttl, data: name },
    { name, type: 'SRV', ttl, data: { port, target } },
    { name, type: 'TXT', ttl, data: text.map(([key, value]) => `${key}=${value}`) },
    ...addresses.map((data): MdnsRecord => ({ name: target, type: isIPv6(data) ? 'AAAA' : 'A', ttl, data })),
  ];
}

/**
 * Reads the announcements of a packet. What has no valid signature of the site is left out: any program of the network may send packets.
 */
export function heardHosts(
  { answers = [], additionals = [] }: Partial<Pick<ResponsePacket, 'answers' | 'additionals'>>,
  siteKey: string,
  nowMs: number,
): HeardHost[] {
  const records = [...answers, ...additionals];
  return records.flatMap((record) => {
    if (record.type !== 'TXT' || !record.name.toLowerCase().endsWith(`.${SERVICE}`)) return [];
    const says = textOf(record.data);
    const { v, id, port, site = '', inv = '', sig: header } = says;
    if (v !== VERSION || id === undefined || !isPort(port) || header === undefined) return [];
    const signed = { method: METHOD, path: signedText({ v, id, port, site, inv }), header };
    if (!isSignedForSite(siteKey, signed, nowMs)) return [];
    const addresses = records.flatMap((other) =>
      other.type === 'AAAA' && other.name.toLowerCase() === `${id}.local`.toLowerCase() ? [other.data] : [],
    );
    return [{ peerId: id, port: Number(port), site, inventory: inv, addresses, ttlSeconds: record.ttl ?? TTL_S }];
  });
}

/** What is signed in place of the method and the path of a request. */
const METHOD = 'ANNOUNCE';
const signedText = (says: Readonly<Record<string, string>>): string => JSON.stringify(says);

const isPort = (text: string | undefined): text is string => /^\d{1,5}$/.test(text ?? '') && Number(text) <= 65_535;

type TxtKey = 'v' | 'id' | 'port' | 'site' | 'inv' | 'sig';

function textOf(data: unknown): Partial<Record<TxtKey, string>> {
  const strings = [data].flat().map(String);
  if (strings.reduce((sum, { length }) => sum + length + 1, 0) > MAX_TXT_BYTES) return {};
  return Object.fromEntries(strings.map((text) => /^([^=]*)=?(.*)$/s.exec(text)!.slice(1, 3) as [string, string]));
}
