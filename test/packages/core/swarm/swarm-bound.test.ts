import { describe, expect, it } from '@jest/globals';
import { rarestOf, replicationOf, swarmBound, type SwarmRates } from '#core/swarm/swarm-bound';

const host = (down: number, up: number, diskBound = false) => ({ down, up, diskBound });
const RATES: SwarmRates = { sizeBytes: 1000, origin: 10, sites: [10], hosts: [host(50, 50), host(50, 50)] };

describe('the least time of a swarm', () => {
  it.each([
    ['origin', {}, 100_000, 'origin'],
    ['the slowest host', { hosts: [host(50, 50), host(5, 50)] }, 200_000, 'slowest-host'],
    ['the disk of the slowest host', { hosts: [host(50, 50), host(5, 50, true)] }, 200_000, 'disk'],
    ['what the hosts upload', { origin: 20, hosts: [host(50, 0.5), host(50, 0.5)] }, 95_238, 'uploads'],
    ['the slowest site', { sites: [10, 4] }, 250_000, 'site-link'],
    ['origin, where the terms are nearly the same', { hosts: [host(9.8, 50)] }, 102_041, 'origin'],
  ])('N8 is that of %s', (_, change, boundMs, bottleneck) => {
    const found = swarmBound({ ...RATES, ...change })!;
    expect([Math.round(found.boundMs), found.bottleneck]).toEqual([boundMs, bottleneck]);
  });

  it('N8 is not known before something came from the origin', () => {
    expect(swarmBound({ ...RATES, origin: 0 })).toBeUndefined();
    expect(swarmBound({ ...RATES, hosts: [] })).toBeUndefined();
  });

  it('N8 leaves out rates that were not measured', () => {
    const found = swarmBound({ ...RATES, hosts: [host(0, 0), host(40, 0)], sites: [10, 0] })!;
    expect(found).toEqual({ boundMs: 100_000, bottleneck: 'origin' });
  });
});

it('N8 counts how many hosts have the pieces, and names the rarest', () => {
  expect(replicationOf([2, 0, 2, 1])).toEqual([
    { holders: 0, pieces: 1 },
    { holders: 1, pieces: 1 },
    { holders: 2, pieces: 2 },
  ]);
  expect(rarestOf([2, 0, 2, 1], 2)).toEqual([
    { piece: 1, holders: 0 },
    { piece: 3, holders: 1 },
  ]);
});
