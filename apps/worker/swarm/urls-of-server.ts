import { addressesOfHost, isEveryInterface, serverUrl } from '#os/addresses';
import { isLoopback } from '#serve/serve-settings';

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

const MOST_URLS = 8;

/**
 * Where other hosts reach the server of this one. A server of the loopback network is reached by hosts of the same machine alone, which
 * is where all of them are when the API is there too.
 *
 * @param apiUrl of the API that the other hosts are told by
 * @returns `http://address:port`; none where other hosts cannot reach it
 */
export function urlsOfServer({ host, port }: ServerAddress, apiUrl: string): string[] {
  const isHere = isLoopback(new URL(apiUrl).hostname.replace(/^\[|\]$/g, ''));
  if (isLoopback(host)) return isHere ? [serverUrl(host, port)] : [];
  const addresses = isEveryInterface(host) ? addressesOfHost(host === '::') : [host];
  return (addresses.length === 0 && isHere ? ['127.0.0.1'] : addresses)
    .map((address) => serverUrl(address, port))
    .slice(0, MOST_URLS);
}
