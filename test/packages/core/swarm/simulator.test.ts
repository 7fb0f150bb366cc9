import { describe, expect, it } from '@jest/globals';
import { SwarmSimulator } from './simulator.ts';

describe('a simulated swarm', () => {
  it.each([
    [20, 1.1],
    [200, 1.2],
    [2000, 1.3],
  ])('L11 of %d hosts has 128 pieces in %d times what the origin needs for one copy', (hosts, times) => {
    for (const seed of hosts > 1000 ? [1] : [1, 2, 3]) {
      const simulated = new SwarmSimulator(hosts, 128, seed).run();
      expect(simulated.times).toBeLessThanOrEqual(times);
      expect(simulated.originCopies).toBe(1);
    }
  });

  it('ends the same way for the same seed', () => {
    expect(new SwarmSimulator(20, 64, 5).run()).toEqual(new SwarmSimulator(20, 64, 5).run());
  });
});
