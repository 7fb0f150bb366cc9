import { describe, expect, it } from '@jest/globals';
import { swarmProgress, type SwarmPieces } from '#core/swarm/swarm-progress';

describe('how far a swarm is', () => {
  const hosts: SwarmPieces['hosts'] = [
    { heldPieces: 8, state: 'seeding' },
    { heldPieces: 3, state: 'leeching' },
    { heldPieces: 0, state: 'leeching' },
  ];

  it('N8 counts pieces over all hosts, in whole percent rounded down, and hosts that have the file', () => {
    expect(swarmProgress({ pieces: 8, hosts })).toEqual({ heldPieces: 11, allPieces: 24, percent: 45, doneHosts: 1 });
  });

  it('N8 is nothing without hosts', () => {
    expect(swarmProgress({ pieces: 8, hosts: [] })).toEqual({ heldPieces: 0, allPieces: 1, percent: 0, doneHosts: 0 });
  });
});
