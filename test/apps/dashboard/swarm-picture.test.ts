import { describe, expect, it } from '@jest/globals';
import type { SwarmView } from '#contracts/swarm-view';
import { PieceMap } from '#core/swarm/piece-map';
import { MIB } from '#core/units';
import { piecesOf, swarmPicture } from '../../../apps/dashboard/data/swarm-picture.ts';

const mapOf = (pieces: number, held: readonly number[]): string => {
  const map = new PieceMap(pieces * MIB);
  for (const piece of held) map.add(piece);
  return map.toString();
};

const view = (pieces: number, held: readonly (readonly number[])[], leases: SwarmView['leases'] = []): SwarmView => ({
  ...{ cid: 'bafyfile', files: [], sizeBytes: pieces * MIB, pieceBytes: MIB, pieces, leases },
  hosts: held.map((own, index) => ({
    ...{ host: `host-${index}`, site: '', state: 'leeching', heldPieces: own.length, have: mapOf(pieces, own) },
    ...{ leases: 0, isHidden: false, beganAt: '2026-11-30T08:00:00.000Z', doneAt: null },
    ...{ downBytesPerSecond: 0, upBytesPerSecond: 0, diskBound: false },
  })),
  ...{ replication: [], rarest: [], originCopies: 0, originPausedMs: 0, sites: [] },
  ...{ elapsedMs: 0, boundMs: null, timesBound: null, bottleneck: null },
});

const lease = (host: string, piece: number, from: 'origin' | 'site'): SwarmView['leases'][number] => ({
  ...{ host, site: '', piece, from, bytes: 0, sinceMs: 0, endsInMs: 3000 },
});

describe('the picture of a swarm', () => {
  it('reads which pieces a host has as the API writes it', () => {
    for (const held of [[], [0], [1, 9, 17], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]])
      expect([...piecesOf(mapOf(18, held), 18)].flatMap((bit, piece) => (bit === 1 ? [piece] : []))).toEqual(held);
  });

  it('has a cell for each piece of each host where there is room', () => {
    const picture = swarmPicture(view(3, [[0], [1, 2]], [lease('host-0', 2, 'origin')]), 100, 100);
    expect([picture.columns, picture.rows]).toEqual([3, 2]);
    expect([...picture.shares]).toEqual([1, 0, 0, 0, 1, 1]);
    expect(picture.leased).toEqual([undefined, undefined, 'origin', undefined, undefined, undefined]);
  });

  it('puts pieces and hosts together where there is none, and says how much of a cell is there', () => {
    const picture = swarmPicture(view(4, [[0], [0, 1], [], [3]], [lease('host-3', 2, 'site')]), 2, 2);
    expect([...picture.shares]).toEqual([0.75, 0, 0, 0.25]);
    expect(picture.leased).toEqual([undefined, undefined, undefined, 'site']);
    expect([0, 1].map((row) => picture.hostsOf(row)).map(([{ host }, count]) => [host, count])).toEqual([
      ['host-0', 2],
      ['host-2', 2],
    ]);
  });

  it('draws 2,000 hosts with 2,000 pieces in as many cells as there is room for', () => {
    const held = Array.from({ length: 2000 }, (_, piece) => piece);
    const big = view(
      2000,
      Array.from({ length: 2000 }, (_, index) => held.slice(0, index)),
    );
    const picture = swarmPicture(big, 600, 240);
    expect([picture.columns, picture.rows, picture.shares.length]).toEqual([600, 240, 144_000]);
    expect(picture.shares[0]).toBeGreaterThan(0);
    expect(picture.shares.every((share) => share >= 0 && share <= 1)).toBe(true);
    const counts = Array.from({ length: 240 }, (_, row) => picture.hostsOf(row)[1]);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2000);
  });
});
