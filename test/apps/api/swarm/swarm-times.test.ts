import { expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import type { SwarmRecord } from '#queue/swarm/swarm-answer';
import { swarmTimes } from '../../../../apps/api/swarm/swarm-times.ts';

const SIZE = 100 * MIB;

const record = (site: string, more: Partial<SwarmRecord> = {}): SwarmRecord => ({
  ...{ site, urls: 'http://10.0.0.1:7430', state: 'leeching', began: 1000, leeched: true },
  ...{ down: 0, up: 0, diskBound: false, rollout: '', leases: {} },
  ...more,
});

const within = (bytes: number, seconds: number) => ({ bytes, from: 1000, at: 1000 + 1000 * seconds });

it('N8 names the link of a site that takes longer than the origin, and not that of one that waits for the origin', () => {
  const origin = within(SIZE, 10);
  const even = new Map([
    ['eu', within(SIZE, 10)],
    ['us', within(SIZE, 10)],
  ]);
  const records = [record('eu'), record('us')];
  expect(swarmTimes(records, SIZE, 13_000, { origin, sites: even })).toEqual({
    ...{ elapsedMs: 12_000, boundMs: 10_000, timesBound: 1.2, bottleneck: 'origin' },
  });
  const slow = new Map([...even, ['us', within(SIZE, 20)]]);
  expect(swarmTimes(records, SIZE, 25_000, { origin, sites: slow })).toMatchObject({
    ...{ elapsedMs: 24_000, boundMs: 20_000, bottleneck: 'site-link' },
  });
});

it('N8 does not count sites that no host is of any more, and hosts that had the file from the beginning', () => {
  const sites = new Map([
    ['', within(MIB, 10)],
    ['eu', within(SIZE, 10)],
  ]);
  const records = [record('eu', { done: 12_000 }), record('eu', { leeched: false, began: 0, down: 1 })];
  expect(swarmTimes(records, SIZE, 99_000, { origin: within(SIZE, 10), sites })).toMatchObject({
    ...{ elapsedMs: 11_000, boundMs: 10_000, bottleneck: 'origin' },
  });
});

it('N8 names the disk where the slowest host waited for it', () => {
  const records = [record('', { down: 50 * MIB }), record('', { down: 5 * MIB, diskBound: true })];
  const sums = { origin: within(SIZE, 10), sites: new Map([['', within(SIZE, 10)]]) };
  expect(swarmTimes(records, SIZE, 23_000, sums)).toMatchObject({ boundMs: 20_000, bottleneck: 'disk' });
});

it('N8 knows no bound before a rate of the origin is known', () => {
  const nothing = { origin: { bytes: 0, from: 0, at: 0 }, sites: new Map() };
  expect(swarmTimes([record('')], SIZE, 3000, nothing)).toMatchObject({
    elapsedMs: 2000,
    boundMs: null,
    bottleneck: null,
  });
});

it('N8 knows that what a swarm needed was possible, whatever the rates say', () => {
  const sums = { origin: within(SIZE, 10), sites: new Map() };
  const ended = record('', { done: 13_000, down: 5 * MIB });
  expect(swarmTimes([ended], SIZE, 99_000, sums)).toMatchObject({
    ...{ elapsedMs: 12_000, boundMs: 12_000, timesBound: 1, bottleneck: 'slowest-host' },
  });
  // Another host still fetches.
  expect(swarmTimes([ended, record('')], SIZE, 13_000, sums)).toMatchObject({ elapsedMs: 12_000, boundMs: 20_000 });
});
