import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

/** @param address name or address, without brackets */
export const serverUrl = (address: string, port: number): string =>
  `http://${isIPv6(address) ? `[${address}]` : address}:${port}`;

/** Whether a server that listens there listens on all interfaces of the machine. */
export const isEveryInterface = (bind: string): boolean => bind === '0.0.0.0' || bind === '::';

/** Addresses of the interfaces that other machines may reach; link-local ones need an interface and are left out. */
export const addressesOfHost = (hasIPv6: boolean): string[] =>
  Object.values(networkInterfaces())
    .flatMap((addresses = []) => addresses)
    .filter(
      ({ address, family, internal }) => !internal && (family === 'IPv4' || (hasIPv6 && !/^fe80:/i.test(address))),
    )
    .map(({ address }) => address);
