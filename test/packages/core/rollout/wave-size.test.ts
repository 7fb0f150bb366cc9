import { describe, expect, it } from '@jest/globals';
import type { WaveSpec } from '#core/rollout/rollout-spec';
import { rampLimit, waveHosts } from '#core/rollout/wave-size';

const wave = (size: WaveSpec['size'], ramp?: WaveSpec['ramp']): WaveSpec => ({
  name: 'w',
  size,
  gate: 'auto',
  soakMs: 0,
  ramp,
});

describe('the size of a wave', () => {
  it.each([
    ['2 hosts', wave({ hosts: 2 }), 240, 0, 2],
    ['10 % of 240 after 2 hosts', wave({ share: 1_000 }), 240, 2, 22],
    ['10 % of 7 is rounded up', wave({ share: 1_000 }), 7, 0, 1],
    ['a share that is opened already still adds one host', wave({ share: 1_000 }), 240, 100, 1],
    ['more hosts than are left', wave({ hosts: 50 }), 10, 4, 6],
  ])('%s', (_, spec, targeted, opened, expected) => {
    expect(waveHosts(spec, targeted, opened, false)).toBe(expected);
  });

  it('takes every host that is left in the last wave', () => {
    expect(waveHosts(wave({ share: 5_000 }), 10, 3, true)).toBe(7);
  });

  it('grows a ramp by its factor after so many successes', () => {
    const ramped = wave({ share: 10_000 }, { base: 50, factor: 2, everySuccesses: 50 });
    expect([0, 49, 50, 99, 100, 150].map((done) => rampLimit(ramped, done))).toEqual([50, 50, 100, 100, 200, 400]);
  });
});
