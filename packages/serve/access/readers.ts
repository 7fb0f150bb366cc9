import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { PEER_HEADER } from '#http/peer-token';
import { isNearClock, SITE_HEADER, siteClockAheadMs } from '#http/site-signature';

export interface AccessRules {
  /** Any one of them, as `Authorization: Bearer`, makes a reader trusted. */
  readonly tokens: readonly string[];
  /** Networks whose hosts may read without a token: `10.0.0.0/8`, `192.168.1.7`, `fd00::/8`. */
  readonly networks: readonly string[];
  /** Requests that are signed with it come from hosts of the same site: their senders are trusted. */
  readonly siteKey?: string | undefined;
  /** Called when a request is signed with the key of the site at a time that is too far from this clock. @param aheadMs of the sender's clock */
  readonly onWrongClock?: ((address: string, aheadMs: number) => void) | undefined;
  /** Root CIDs of the files that the holder of a token of the API may fetch from other hosts; undefined for a token that is none. */
  readonly allowedBy?: ((peerToken: string) => readonly string[] | undefined) | undefined;
}

export interface Visitor {
  /** For limits: the token, else the address. */
  readonly key: string;
  readonly mayRead: boolean;
  /** Showed a token of this server: private models are open. */
  readonly isTrusted: boolean;
}

/**
 * Decides which clients may read. Without any rule every client may. A token that is not one of this server is ignored: clients of hubs
 * send the token of the hub everywhere.
 *
 * @throws RangeError for a network that is none
 */
export function visitors({
  tokens,
  networks,
  siteKey,
  allowedBy,
  onWrongClock,
}: AccessRules): (request: IncomingMessage) => Visitor {
  const known = tokens.map(digestOf);
  const list = blockListOf(networks);
  const isFree = tokens.length === 0 && networks.length === 0;
  const isOtherHost = (request: IncomingMessage): boolean =>
    isFromSite(siteKey, request, onWrongClock) || isPeer(allowedBy, request);
  return (request) => {
    const token = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const digest = token === undefined ? undefined : digestOf(token);
    const isKnown = digest !== undefined && known.some((one) => timingSafeEqual(one, digest));
    const isTrusted = isKnown || isOtherHost(request);
    const address = plainAddress(request.socket.remoteAddress ?? '');
    const isNear = isIP(address) !== 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
    const key = isKnown ? digest!.toString('hex') : address;
    return { key, isTrusted, mayRead: isFree || isTrusted || isNear };
  };
}

function isFromSite(
  siteKey: string | undefined,
  { headers, method = 'GET', url = '/', socket }: IncomingMessage,
  onWrongClock: AccessRules['onWrongClock'],
): boolean {
  const header = headers[SITE_HEADER];
  if (siteKey === undefined || typeof header !== 'string') return false;
  const aheadMs = siteClockAheadMs(siteKey, { method, path: url.split('?')[0]!, header }, Date.now());
  if (aheadMs === undefined || isNearClock(aheadMs)) return aheadMs !== undefined;
  onWrongClock?.(plainAddress(socket.remoteAddress ?? ''), aheadMs);
  return false;
}

/** Such a token opens the files that it names, below `/swarm/`, and nothing else. */
function isPeer(allowedBy: AccessRules['allowedBy'], { headers, url = '/' }: IncomingMessage): boolean {
  const [header, cid] = [headers[PEER_HEADER], /^\/swarm\/([a-z2-7]+)(?:[/?]|$)/.exec(url)?.[1]];
  if (allowedBy === undefined || cid === undefined || typeof header !== 'string') return false;
  return allowedBy(header)?.includes(cid) === true;
}

const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();

/** An IPv4 client of a server that listens on both has this form. */
const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');

function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIP(address);
    const most = family === 6 ? 128 : 32;
    const prefix = bits === undefined ? most : Number(bits);
    if (family === 0 || !/^\d*$/.test(bits ?? '') || bits === '' || prefix > most)
      throw new RangeError(`"${network}": write an address or a network, such as 10.0.0.0/8 or 192.168.1.7`);
    list.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
