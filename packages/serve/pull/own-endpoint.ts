import { addressesOfHost, isEveryInterface } from '#os/addresses';
import { isLoopback } from '../serve-settings.ts';

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
  if (isEveryInterface(host)) return isLoopback(address) || addressesOfHost(true).includes(address);
  return address === host || (address === 'localhost' && isLoopback(host));
}
