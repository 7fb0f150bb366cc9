import { createSocket } from 'node:dgram';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import makeMdns, { type MulticastDNS } from 'multicast-dns';
import { addressesOfHost } from '#os/addresses';

/** Where a host is looked for, and how others reach it. */
export interface Reach {
  /** IPv4 address of the only interface that is used; undefined: all. */
  readonly interfaceAddress: string | undefined;
  /** Address that the server listens on: hosts are found by the families of addresses that reach it. */
  readonly host: string;
}

const GROUP_IPV6 = 'ff02::fb';

const isForIPv4 = ({ host }: Reach): boolean => host === '::' || !isIPv6(host);
const isForIPv6 = ({ host, interfaceAddress }: Reach): boolean => isIPv6(host) && interfaceAddress === undefined;

/**
 * One socket for IPv4, which follows the interfaces by itself, and for IPv6 one for each interface that there is now: a socket sends to the
 * group of one interface.
 *
 * @returns what opens each, by the interface
 */
export function multicastSockets(reach: Reach): ReadonlyMap<string, () => MulticastDNS> {
  const { interfaceAddress } = reach;
  const one = interfaceAddress === undefined ? {} : { interface: interfaceAddress, bind: '0.0.0.0' };
  const names = isForIPv6(reach) ? ipv6Interfaces() : [];
  return new Map([
    ...(isForIPv4(reach) ? [[interfaceAddress ?? '0.0.0.0', () => makeMdns(one)] as const] : []),
    ...names.map((name) => [name, () => ipv6Socket(name)] as const),
  ]);
}

/** Names of interfaces with an address that a URL can name: link-local ones cannot stand there. */
const ipv6Interfaces = (): string[] =>
  Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.some(({ family, internal, address }) => family === 'IPv6' && !internal && !isLinkLocal(address))
      ? [name]
      : [],
  );

/** IPv4 has a socket of its own. */
const ipv6Socket = (name: string): MulticastDNS =>
  makeMdns({
    ...{ type: 'udp6', ip: GROUP_IPV6, interface: `::%${name}`, bind: '::' },
    socket: createSocket({ type: 'udp6', reuseAddr: true, ipv6Only: true }),
  });

/** The addresses by which a host announces itself. */
export function announcedAddresses(reach: Reach): string[] {
  const { interfaceAddress, host } = reach;
  if (interfaceAddress !== undefined) return [interfaceAddress];
  if (isIPv6(host) && host !== '::') return [host];
  return addressesOfHost(isForIPv6(reach));
}

/**
 * How the sender of an announcement is reached. Packets of IPv6 come from link-local addresses, so the announced one counts that is in a
 * network of this host: announcements are signed without their addresses, and must not send this host elsewhere.
 *
 * @param announced addresses of the announcement
 * @returns undefined when there is none
 */
export function addressOfSender(from: string, announced: readonly string[]): string | undefined {
  if (isIP(from) === 4) return from;
  const near = networksOfHost();
  return [from, ...announced].find(
    (address) => isIPv6(address) && !isLinkLocal(address) && near.check(address, 'ipv6'),
  );
}

const isLinkLocal = (address: string): boolean => /^fe[89ab]/i.test(address);

function networksOfHost(): BlockList {
  const list = new BlockList();
  for (const { address, family, internal, cidr } of Object.values(networkInterfaces()).flatMap((all = []) => all))
    if (family === 'IPv6' && !internal && cidr !== null) list.addSubnet(address, Number(cidr.split('/')[1]), 'ipv6');
  return list;
}
