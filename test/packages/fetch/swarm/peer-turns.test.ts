import { describe, expect, it } from '@jest/globals';
import { peerTurns } from '#fetch/swarm/peer-turns';

const peers = [
  { name: 'idle', url: 'http://10.0.0.1:7430', load: 0 },
  { name: 'busy', url: 'http://10.9.0.1:7430', load: 3 },
];
/** Two leaves a piece; piece 1 is the rarest one. */
const turnsOf = (pieceMs: number | undefined) =>
  peerTurns({
    peers: () => peers,
    isFar: (url) => url.startsWith('http://10.9.'),
    holders: () => [2, 1, 2],
    pieceOf: (leaf) => leaf >> 1,
    pieceMs: () => pieceMs,
  });

describe('the turns of the peers of a file', () => {
  it('N6 ask for the rarest piece first, and for equally rare ones in an order of this host', () => {
    const { rarity } = turnsOf(undefined);
    const ranks = [0, 1, 2, 3, 4, 5].map(rarity);
    expect(ranks[0]).toBe(ranks[1]);
    expect(Math.min(...ranks)).toBe(ranks[2]);
    expect(ranks[0]).not.toBe(ranks[4]);
    expect(ranks).toEqual([0, 1, 2, 3, 4, 5].map(rarity));
  });

  it('N6 know how busy a peer said that it is', () => {
    const { busyness } = turnsOf(undefined);
    expect(['idle', 'busy', 'unknown'].map(busyness)).toEqual([0, 3, 0]);
  });

  it('N6 know which peers are of another site', () => {
    const { isFar } = turnsOf(undefined);
    expect(['idle', 'busy', 'unknown'].map(isFar)).toEqual([false, true, false]);
  });

  it('N6 wait longer for a piece where pieces take longer, within bounds', () => {
    expect([undefined, 10, 1000, 60_000].map((ms) => turnsOf(ms).patienceMs)).toEqual([3000, 3000, 4000, 15_000]);
  });
});
