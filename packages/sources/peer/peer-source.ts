import { SourceError, type SourceFailureKind } from '#core/failure';
import type { ByteSink, ReadRequest, ResponseHead, Source } from '#core/source';
import { SECOND_MS } from '#core/units';
import { statusError } from '#http/http-error';
import type { Http } from '#http/pool';
import type { HttpResponse } from '#http/request';
import { requestBytes } from '#http/small-request';
import { readRanged, type RangedGet } from '../ranged-get.ts';
import type { PeerFile } from './peer-file.ts';
import type { PacedAnswer } from './peer-pace.ts';

/** Requests to one peer at once: one that sends, and one that waits for its slot. */
const MAX_CONNECTIONS = 2;
/** After such a failure this host first asks the peer again which pieces it has, and then reads. */
const GONE: ReadonlySet<SourceFailureKind> = new Set<SourceFailureKind>([
  'unreachable',
  'missing',
  'interrupted',
  'timed-out',
]);
/** A peer whose answer has begun and that sends nothing for so long is gone; a request may wait longer for its turn. */
const TIMEOUTS = { stallMs: 4 * SECOND_MS };

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
    holds: ({ start }) => peer.offers(start),
    async read(request, sink, signal) {
      const get = {
        ...peer.at(`/swarm/${peer.cid}`),
        ...{ http, source: name, trusted: true, maxRedirects: 0, isProvable: true, fileName: peer.cid, explain },
        timeouts: TIMEOUTS,
        refine: (response: HttpResponse, head: ResponseHead) => {
          peer.learn(response.headers);
          return head;
        },
      };
      await peer.whileThere(signal, (either, begun) => readFrom(peer, get, request, sink, either, begun));
    },
    async readBlock(cid, maxBytes, signal) {
      await asked();
      peer.refuseAbsent();
      const ask = { ...peer.at(`/swarm/${peer.cid}/block/${cid}`), source: name, trusted: true, maxRedirects: 0 };
      const { response, bytes } = await requestBytes(http, ask, maxBytes, signal);
      if (response.status !== 200) throw statusError(name, response.status, response.headers, http.now());
      return bytes;
    },
  };
}

async function readFrom(
  peer: PeerFile,
  get: RangedGet,
  request: ReadRequest,
  sink: ByteSink,
  signal: AbortSignal,
  begun: () => void,
): Promise<void> {
  const slow = new AbortController();
  let answer: PacedAnswer | undefined;
  const head = (given: ResponseHead): void => {
    begun();
    answer = peer.pace?.watch(() => slow.abort());
    sink.head(given);
  };
  const write: ByteSink['write'] = (chunk) => {
    answer?.took(chunk.length);
    return sink.write(chunk);
  };
  try {
    await readRanged(get, request, { head, write }, AbortSignal.any([signal, slow.signal]));
    answer?.end(true);
  } catch (error) {
    answer?.end(false);
    if (slow.signal.aborted && !signal.aborted) {
      peer.tooSlow();
      throw new SourceError('too-slow', peer.name, 'it gives far less than the other hosts', { cause: error });
    }
    if (error instanceof SourceError && GONE.has(error.kind)) peer.lost();
    if (error instanceof SourceError && error.httpStatus === 416) peer.refused(request.range?.start ?? 0);
    throw error;
  }
}
