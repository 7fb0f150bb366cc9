import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { tryParseCid } from '#content/cid/cid';
import { peerIdText } from '#content/cid/peer-id';
import type { SeenBlocks } from '../blocks/held-blocks.ts';
import { answerBytes, answerText, headerOf, type Exchange } from '../http/exchange.ts';
import type { PullCids } from '../pull/pull-cids.ts';

const PREFIX = '/routing/v1/providers/';

/**
 * Answers `/routing/v1/providers/CID` with this server itself where it has the block or may fetch it, so that clients that find providers by a
 * delegated router (kubo, Helia) need nothing beside its address. Filters of addresses are ignored: clients that ask for https alone
 * would never see a plain server of their own LAN.
 *
 * @see specs.ipfs.tech: http-routing-v1, IPIP-513 for the empty answer
 */
export async function answerProviders(
  exchange: Exchange,
  { blocks, pull }: { readonly blocks: SeenBlocks; readonly pull?: Pick<PullCids, 'offers'> | undefined },
): Promise<void> {
  const { path, request } = exchange;
  if (request.method !== 'GET') return answerText(exchange, 405, 'GET is served', { allow: 'GET' });
  if (!path.startsWith(PREFIX)) return answerText(exchange, 501, 'only providers are served');
  const cid = tryParseCid(path.slice(PREFIX.length));
  if (cid === undefined) return answerText(exchange, 400, 'that is no CID that is served');
  const isHere = pull?.offers(cid) === true || (await blocks.get(cid)) !== undefined;
  const records = isHere ? [recordOf(exchange)] : [];
  const asLines = /application\/x-ndjson/.test(headerOf(exchange, 'accept') ?? '');
  const text = asLines
    ? records.map((record) => `${JSON.stringify(record)}\n`).join('')
    : JSON.stringify({ Providers: records });
  answerBytes(exchange, 200, Buffer.from(text), {
    'content-type': asLines ? 'application/x-ndjson' : 'application/json',
    'cache-control': `public, max-age=${isHere ? 300 : 15}`,
    vary: 'Accept',
  });
}

/** The address that the client reached, as a multiaddr. */
function recordOf({ origin }: Exchange): object {
  const { hostname, port, protocol } = new URL(origin);
  const host = hostname.replace(/^\[|\]$/g, '');
  const kind = isIP(host) === 4 ? 'ip4' : isIP(host) === 6 ? 'ip6' : 'dns';
  const isTls = protocol === 'https:';
  const address = `/${kind}/${host}/tcp/${port || (isTls ? 443 : 80)}/${isTls ? 'https' : 'http'}`;
  return {
    Schema: 'peer',
    ID: peerIdText(createHash('sha256').update(origin).digest()),
    Addrs: [address],
    Protocols: ['transport-ipfs-gateway-http'],
  };
}
