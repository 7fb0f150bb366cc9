import { networkInterfaces } from 'node:os';

/** Addresses that listen on every interface of the machine. */
const ALL = new Set(['0.0.0.0', '::']);

/**
 * Whether this endpoint of a hub is the server itself: it would ask itself for what it does not have. It is named so where `HF_ENDPOINT`, which
 * clients have, is set for the server as well.
 *
 * @param endpoint URL
 * @param at where the server listens
 */
export function isOwnEndpoint(
  endpoint: string,
  { host, port }: { readonly host: string; readonly port: number },
): boolean {
  const url = new URL(endpoint);
  if (url.protocol !== 'http:' || Number(url.port || 80) !== port) return false;
  const address = url.hostname.replace(/^\[|\]$/g, '');
  const isAny = ALL.has(host);
  if (address === 'localhost') return isAny || host === '127.0.0.1' || host === '::1';
  return address === host || (isAny && addressesOfMachine().has(address));
}

const addressesOfMachine = (): Set<string> =>
  new Set(Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address)));
