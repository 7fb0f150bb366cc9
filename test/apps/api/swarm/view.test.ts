import { expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import type { SwarmState } from '#queue/swarm/read-swarm';
import { swarmView } from '../../../../apps/api/swarm/view.ts';

const NOW = 1_000_000;
const NONE = { bytes: 0, from: 0, at: 0 };

const swarm = (originPausedUntil: number): SwarmState => ({
  ...{ sizeBytes: 4 * MIB, nowMs: NOW, hosts: [], digits: new Map(), originPausedUntil },
  ...{ origin: NONE, sites: new Map(), ofRollout: () => ({ origin: NONE, sites: new Map() }) },
});

it('L16 a swarm shows how long the origin is still left alone', () => {
  const left = [0, NOW - 1, NOW, NOW + 9000].map((until) => swarmView('bafyfile', swarm(until), []).originPausedMs);
  expect(left).toEqual([0, 0, 0, 9000]);
});
