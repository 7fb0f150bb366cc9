import { describe, expect, it } from '@jest/globals';
import type { SwarmView } from '#contracts/swarm-view';
import { PieceMap } from '#core/swarm/piece-map';
import { MIB } from '#core/units';
import { swarmLine, swarmLines } from '../../../../apps/cli/swarm/swarm-text.ts';

const PIECES = 24;
const SIZE = PIECES * MIB;

function mapOf(held: readonly number[]): string {
  const map = new PieceMap(SIZE);
  for (const piece of held) map.add(piece);
  return map.toString();
}

const firstOnes = (count: number): number[] => Array.from({ length: count }, (_, piece) => piece);

const host = (name: string, held: readonly number[], leases = 0): SwarmView['hosts'][number] => ({
  ...{ host: name, site: 'eu-1', state: held.length === PIECES ? 'seeding' : 'leeching' },
  ...{ heldPieces: held.length, have: mapOf(held), leases, isHidden: false, beganAt: '2026-11-30T08:00:00.000Z' },
  ...{ doneAt: null, downBytesPerSecond: 2_000_000, upBytesPerSecond: 0, diskBound: false },
});

const view = (more: Partial<SwarmView> = {}): SwarmView => ({
  ...{ cid: 'bafyfile', files: [], sizeBytes: SIZE, pieceBytes: MIB, pieces: PIECES },
  hosts: [host('host-a', firstOnes(PIECES)), host('host-b', firstOnes(12), 1)],
  leases: [
    {
      ...{ host: 'host-b', site: 'eu-1', piece: 20, from: 'origin', bytes: 0, sinceMs: 10, endsInMs: 3000 },
    },
  ],
  replication: [
    { holders: 1, pieces: 12 },
    { holders: 2, pieces: 12 },
  ],
  rarest: [{ piece: 12, holders: 1 }],
  ...{ originCopies: 1.02, originPausedMs: 0, sites: [{ site: 'eu-1', hosts: 2, copies: 1.02 }] },
  ...{ elapsedMs: 12_300, boundMs: 11_000, timesBound: 1.118, bottleneck: 'origin' },
  ...more,
});

describe('the picture of a swarm', () => {
  it('N8 says in one line how far it is, what the origin gave, the time against the bound, and what limits it', () => {
    expect(swarmLine(view())).toBe(
      '75% of all pieces, 1 of 2 hosts have the file, 1.02 copies from the origin, 12.3 s, 1.12 x the bound, limited by the origin',
    );
  });

  it('N8 says how long the origin is left alone', () => {
    expect(swarmLine(view({ originPausedMs: 9000 }))).toMatch(
      /limited by the origin, the origin asked for a pause: 9\.0 s left$/,
    );
  });

  it('N8 leaves out what is not measured yet', () => {
    expect(swarmLine(view({ timesBound: null, boundMs: null, bottleneck: null }))).toBe(
      '75% of all pieces, 1 of 2 hosts have the file, 1.02 copies from the origin, 12.3 s',
    );
  });

  it('N8 shows which host has which part, and which part it fetches from the origin', () => {
    const lines = swarmLines(view(), 200, true);
    expect(lines[0]).toBe('bafyfile  25.2 MB in 24 pieces of 1.05 MB');
    expect(lines.find((line) => line.startsWith('host-a'))).toContain('#'.repeat(24));
    expect(lines.find((line) => line.startsWith('host-b'))).toContain(`${'#'.repeat(12)}${'.'.repeat(8)}v...`);
    expect(lines.slice(-2)).toEqual(['pieces: 12 at 1 host, 12 at 2 hosts', 'rarest: 12 (1 host)']);
  });

  it('N8 joins pieces where the terminal is narrow', () => {
    const lines = swarmLines(view(), 72, true);
    expect(lines.find((line) => line.startsWith('host-b'))).toContain('######....v.');
  });

  it('N8 tells the copies of each site where there are several', () => {
    const sites = [
      { site: 'eu-1', hosts: 1, copies: 1 },
      { site: '', hosts: 1, copies: 1.5 },
    ];
    expect(swarmLines(view({ sites }), 120, true).at(-1)).toBe('copies by site: eu-1 1.00, no site 1.50');
  });
});
