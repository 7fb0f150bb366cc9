import { SourceError } from '#core/failure';
import type { Source } from '#core/source';
import { statusError } from '#http/http-error';
import type { Http } from '#http/pool';
import type { HttpResponse } from '#http/request';
import { requestBytes } from '#http/small-request';
import { readRanged } from '../ranged-get.ts';
import type { PeerFile } from './peer-file.ts';

/** Requests to one peer at once: one that sends, and one that waits for its slot. */
const MAX_CONNECTIONS = 2;

/**
 * One file at another worker, which may still be fetching it. Verifies nothing; learns from each answer which pieces the peer has.
 *
 * @param asked resolves when all peers were asked once which pieces they have
 */
export function peerSource(http: Http, peer: PeerFile, asked: () => Promise<void>): Source {
  const { name } = peer;
  const explain = (response: HttpResponse): SourceError | undefined => {
    peer.learn(response.headers);
    const { status, headers } = response;
    if (status === 416) return statusError(name, status, headers, http.now(), 'it does not have that part');
    return undefined;
  };
  return {
    name,
    kind: 'peer',
    layer: 'peer',
    origin: new URL(peer.url).origin,
    cid: peer.cid,
    capabilities: () => ({ range: true, blocks: true, maxConnections: MAX_CONNECTIONS }),
    holds: ({ start }) => peer.map?.has(peer.map.pieceAt(start)) ?? false,
    async read(request, sink, signal) {
      const get = {
        ...peer.at(`/swarm/${peer.cid}`),
        ...{ http, source: name, trusted: true, maxRedirects: 0, isProvable: true, fileName: peer.cid, explain },
        refine: (response: HttpResponse, head: Parameters<typeof sink.head>[0]) => {
          peer.learn(response.headers);
          return head;
        },
      };
      await readRanged(get, request, sink, signal).catch((error: unknown) => {
        if (error instanceof SourceError && (error.kind === 'unreachable' || error.kind === 'missing')) peer.lost();
        throw error;
      });
    },
    async readBlock(cid, maxBytes, signal) {
      await asked();
      peer.refuseAbsent();
      const ask = { ...peer.at(`/ipfs/${cid}?format=raw`), source: name, trusted: true, maxRedirects: 0 };
      const { response, bytes } = await requestBytes(http, ask, maxBytes, signal);
      if (response.status !== 200) throw statusError(name, response.status, response.headers, http.now());
      return bytes;
    },
  };
}
