import { MeasuredSlots } from '#core/swarm/measured-slots';
import { SECOND_MS } from '#core/units';
import type { PeerFile } from '#sources/peer/peer-file';
import type { PeerTurns } from '#transfer/report/transfer-options';

export interface PeerTurnsOptions {
  readonly peers: () => readonly Pick<PeerFile, 'name' | 'url' | 'load'>[];
  /** Whether the peer at this address is of another site. */
  readonly isFar: (url: string) => boolean;
  /** Peers that have each piece. */
  readonly holders: () => ArrayLike<number>;
  readonly pieceOf: (leaf: number) => number;
  /** Milliseconds from one whole piece to the next, on average; undefined before the first one. */
  readonly pieceMs: () => number | undefined;
}

/** Requests at once at most: two, and more where each of them is slow. With one, the link idles between two pieces. */
const MOST_REQUESTS = 12;
/** Less than a peer sends to at once (`packages/serve/swarm/upload-slots.ts`): the request does not wait there. */
const MOST_BUSY = 1;
/** A request is late when it takes so many times as long as one is expected to take; within these bounds. */
const TIMES_EXPECTED = 2;
const LEAST_PATIENCE_MS = 3 * SECOND_MS;
const MOST_PATIENCE_MS = 15 * SECOND_MS;

export interface MeasuredTurns extends PeerTurns {
  /** A whole piece arrived. @param nowMs monotonic */
  arrived(nowMs: number): void;
}

/** How a host asks the peers of one file: few requests at once, to the least busy peers, for the rarest pieces. */
export function peerTurns({ peers, isFar, holders, pieceOf, pieceMs }: PeerTurnsOptions): MeasuredTurns {
  const [ties, measured]: [number[], MeasuredSlots] = [[], new MeasuredSlots(MOST_REQUESTS)];
  return {
    get mostRequests() {
      return measured.slots;
    },
    arrived: (nowMs) => measured.ended(nowMs),
    mostBusy: MOST_BUSY,
    busyness: (source) => peers().find(({ name }) => name === source)?.load ?? 0,
    isFar: (source) => peers().some(({ name, url }) => name === source && isFar(url)),
    rarity: (leaf) => {
      const piece = pieceOf(leaf);
      return (holders()[piece] ?? 0) + (ties[piece] ??= Math.random());
    },
    get patienceMs() {
      const expectedMs = measured.slots * (pieceMs() ?? 0);
      return Math.min(MOST_PATIENCE_MS, Math.max(LEAST_PATIENCE_MS, TIMES_EXPECTED * expectedMs));
    },
  };
}
