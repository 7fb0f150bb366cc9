import { describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { rampConnections } from '#transfer/plan/connections';
import { SourceState } from '#transfer/run/source-state';
import { fakeSource } from '../../../helpers/fake-source.ts';

const TICK_MS = 200;
const MOST = 4;

/** Lets a source send for so many ticks and ramps after each. */
function sendFor(ticks: number, bytesPerSecond: (connections: number) => number, latencyMs = 0) {
  const state = new SourceState(fakeSource(new Uint8Array(1)), 0, 'first', 0);
  state.latencyMs = latencyMs;
  const connections: number[] = [];
  for (let tick = 1; tick <= ticks; tick += 1) {
    state.connections = state.allowedConnections;
    state.meter.add((bytesPerSecond(state.connections) * TICK_MS) / 1000, tick * TICK_MS);
    rampConnections(state, tick * TICK_MS, MOST);
    connections.push(state.allowedConnections);
  }
  return { state, connections };
}

describe('connections per source', () => {
  it('are doubled within a second where each is limited', () => {
    const { connections } = sendFor(6, (count) => count * 20 * MIB);
    expect(connections).toEqual([1, 2, 2, 4, 4, 4]);
  });

  it('are reduced again when they gain nothing', () => {
    const { state } = sendFor(20, () => 20 * MIB);
    expect(state.allowedConnections).toBe(1);
    expect(state.isRamped).toBe(true);
  });

  it('stay alone on a source that is faster than a connection needs to be', () => {
    expect(sendFor(20, () => 500 * MIB).state.allowedConnections).toBe(1);
  });

  it('are measured only when a far source has had time to answer them', () => {
    const { connections } = sendFor(8, (count) => count * 20 * MIB, 300);
    expect(connections).toEqual([1, 2, 2, 2, 2, 2, 2, 4]);
  });
});
