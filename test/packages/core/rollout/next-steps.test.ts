import { describe, expect, it } from '@jest/globals';
import { fc } from '../../../helpers/properties.ts';
import { nextSteps, type RolloutSnapshot, type RolloutStep } from '#core/rollout/next-steps';
import type { RolloutPolicy } from '#core/rollout/rollout-spec';
import { isFinalRollout } from '#core/rollout/rollout-state';
import { isThresholdMet } from '#core/rollout/verdict';
import { SimulatedRollout } from './simulated-rollout.ts';

const POLICY: RolloutPolicy = {
  waves: [
    { name: 'canary', size: { hosts: 2 }, gate: 'manual', soakMs: 0 },
    { name: 'rest', size: { share: 10_000 }, gate: 'auto', soakMs: 0 },
  ],
  successShare: 9_000,
  onFailure: 'stop',
  concurrency: {},
};

const SNAPSHOT: RolloutSnapshot = {
  state: 'running',
  policy: POLICY,
  isApproved: true,
  deadlineAt: 1_000,
  isWindowOpen: true,
  isSourceUsable: true,
  wave: 0,
  isGateOpen: false,
  openedHosts: 2,
  counts: { targeted: 20, succeeded: 0, failed: 0 },
  inWave: { active: 0, ready: 2, succeeded: 0, failed: 0 },
  brake: { finished: 0, failed: 0 },
  sites: [{ site: 'a', ready: 2, active: 0 }],
  staged: 0,
};

const steps = (change: Partial<RolloutSnapshot>, now = 0): RolloutStep[] => nextSteps({ ...SNAPSHOT, ...change }, now);
const moves = (found: readonly RolloutStep[]): string[] =>
  found.map((step) =>
    step.do === 'move' ? `${step.event}${step.pauseReason ? ` ${step.pauseReason}` : ''}` : step.do,
  );

const ABORT = { failedShare: 1_000, minSample: 10, action: 'pause' } as const;
const braked = (finished: number, failed: number): string[] =>
  moves(steps({ policy: { ...POLICY, abort: ABORT }, brake: { finished, failed } }));

describe('what a rollout does next', () => {
  it('dispatches the hosts of the open wave', () => {
    expect(steps({})).toEqual([{ do: 'dispatch', site: 'a', hosts: 2 }]);
  });

  it('holds the limits of all hosts and of each site, counting those that are active', () => {
    const sites = [
      { site: 'a', ready: 10, active: 3 },
      { site: 'b', ready: 10, active: 0 },
    ];
    const policy = { ...POLICY, concurrency: { global: 8, perSite: 4 } };
    const inWave = { active: 3, ready: 20, succeeded: 0, failed: 0 };
    expect(steps({ sites, policy, inWave })).toEqual([
      { do: 'dispatch', site: 'b', hosts: 3 },
      { do: 'dispatch', site: 'a', hosts: 1 },
    ]);
  });

  it('pauses at a manual gate when the wave is done, and opens the next wave once a person resumed it', () => {
    const done = {
      inWave: { active: 0, ready: 0, succeeded: 2, failed: 0 },
      counts: { targeted: 20, succeeded: 2, failed: 0 },
      sites: [],
    };
    expect(moves(steps(done))).toEqual(['pause gate']);
    expect(steps({ ...done, isGateOpen: true })).toEqual([{ do: 'open-wave', wave: 1, hosts: 18 }]);
  });

  it('soaks before the gate, and until exactly the end of the soak time', () => {
    const policy = { ...POLICY, waves: [{ ...POLICY.waves[0]!, soakMs: 50 }, POLICY.waves[1]!] };
    const done = { policy, inWave: { active: 0, ready: 0, succeeded: 2, failed: 0 }, sites: [] };
    expect(steps(done, 100)).toEqual([expect.objectContaining({ event: 'soak', soakUntil: 150 })]);
    expect(steps({ ...done, state: 'soaking', soakUntil: 150 }, 149)).toEqual([]);
    expect(moves(steps({ ...done, state: 'soaking', soakUntil: 150 }, 150))).toEqual(['advance']);
  });

  it('soaks on after a pause, until the same moment', () => {
    const policy = { ...POLICY, waves: [{ ...POLICY.waves[0]!, soakMs: 50 }, POLICY.waves[1]!] };
    const resumed = { policy, inWave: { active: 0, ready: 0, succeeded: 2, failed: 0 }, sites: [], soakUntil: 150 };
    expect(steps(resumed, 149)).toEqual([expect.objectContaining({ event: 'soak', soakUntil: 150 })]);
    expect(moves(steps(resumed, 150))).toEqual(['pause gate']);
  });

  it('stops at the gate when too many hosts of the wave failed, also at an automatic one', () => {
    const policy: RolloutPolicy = { ...POLICY, onFailure: 'continue', waves: [{ ...POLICY.waves[0]!, gate: 'auto' }] };
    const failed = {
      policy: { ...policy, waves: [policy.waves[0]!, POLICY.waves[1]!] },
      inWave: { active: 0, ready: 0, succeeded: 1, failed: 1 },
      counts: { targeted: 20, succeeded: 1, failed: 1 },
      sites: [],
    };
    expect(moves(steps(failed))).toEqual(['pause gate']);
  });

  it('brakes at the boundary of the share and not below it, and only from the least sample on', () => {
    expect(braked(10, 1)).toEqual(['pause threshold']);
    expect(braked(11, 1)).toEqual(['dispatch']);
    expect(braked(9, 9)).toEqual(['dispatch']);
    expect(braked(10, 0)).toEqual(['dispatch']);
  });

  it('brakes at a number of failed hosts', () => {
    const policy: RolloutPolicy = { ...POLICY, abort: { failedHosts: 2, minSample: 1, action: 'stop' } };
    expect(moves(steps({ policy, brake: { finished: 2, failed: 1 } }))).toEqual(['dispatch']);
    expect(moves(steps({ policy, brake: { finished: 2, failed: 2 } }))).toEqual(['end-hosts', 'fail']);
  });

  it('fails as soon as success is out of reach, and waits for all hosts when it was told to continue', () => {
    const counts = { targeted: 20, succeeded: 0, failed: 3 };
    expect(moves(steps({ counts }))).toEqual(['end-hosts', 'fail']);
    expect(moves(steps({ counts, policy: { ...POLICY, onFailure: 'continue' } }))).toEqual(['dispatch']);
    expect(moves(steps({ counts: { ...counts, failed: 2 } }))).toEqual(['dispatch']);
  });

  it('ends at the deadline: with the verdict of those that have it', () => {
    expect(moves(steps({}, 999))).toEqual(['dispatch']);
    expect(moves(steps({}, 1_000))).toEqual(['end-hosts', 'time_out']);
    const counts = { targeted: 20, succeeded: 18, failed: 0 };
    expect(moves(steps({ counts }, 1_000))).toEqual(['end-hosts', 'succeed_partly']);
  });

  it('pauses and resumes by itself with its window and its sources, and not after a person paused it', () => {
    expect(moves(steps({ isWindowOpen: false }))).toEqual(['pause window']);
    expect(moves(steps({ isSourceUsable: false }))).toEqual(['pause source']);
    expect(moves(steps({ state: 'paused', pauseReason: 'window' }))).toEqual(['resume']);
    expect(moves(steps({ state: 'paused', pauseReason: 'source' }))).toEqual(['resume']);
    expect(moves(steps({ state: 'paused', pauseReason: 'manual' }))).toEqual([]);
  });

  it('tells staged hosts to activate while it runs, and not while it is paused', () => {
    const staged = { staged: 2, inWave: { active: 2, ready: 0, succeeded: 0, failed: 0 }, sites: [] };
    expect(steps(staged)).toEqual([{ do: 'activate', hosts: 2 }]);
    expect(steps({ ...staged, state: 'paused', pauseReason: 'threshold' })).toEqual([]);
    expect(moves(steps({ ...staged, isWindowOpen: false }))).toEqual(['pause window']);
  });

  it('starts when it is approved, its time has come and a window is open', () => {
    expect(moves(steps({ state: 'awaiting_approval', isApproved: false }))).toEqual([]);
    expect(moves(steps({ state: 'awaiting_approval' }))).toEqual(['approve']);
    expect(moves(steps({ state: 'scheduled', startsAt: 10 }, 9))).toEqual([]);
    expect(moves(steps({ state: 'scheduled', startsAt: 10 }, 10))).toEqual(['start']);
    expect(moves(steps({ state: 'scheduled', isWindowOpen: false }))).toEqual([]);
  });
});

const policies = fc.record({
  waves: fc.array(
    fc.record({
      name: fc.constant('w'),
      size: fc.oneof(
        fc.record({ hosts: fc.integer({ min: 1, max: 20 }) }),
        fc.record({ share: fc.integer({ min: 1, max: 10_000 }) }),
      ),
      gate: fc.constantFrom('auto' as const, 'manual' as const),
      soakMs: fc.constantFrom(0, 5),
      ramp: fc.option(
        fc.record({
          base: fc.integer({ min: 1, max: 5 }),
          factor: fc.integer({ min: 1, max: 3 }),
          everySuccesses: fc.integer({ min: 1, max: 5 }),
        }),
        { nil: undefined },
      ),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  successShare: fc.integer({ min: 0, max: 10_000 }),
  abort: fc.option(
    fc.record({
      failedShare: fc.integer({ min: 1, max: 10_000 }),
      minSample: fc.integer({ min: 1, max: 10 }),
      action: fc.constantFrom('pause' as const, 'stop' as const),
    }),
    { nil: undefined },
  ),
  onFailure: fc.constantFrom('stop' as const, 'continue' as const),
  concurrency: fc.record({
    global: fc.option(fc.integer({ min: 1, max: 10 }), { nil: undefined }),
    perSite: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
  }),
});

const weather = fc.record({
  activates: fc.boolean(),
  windowTicks: fc.constantFrom(undefined, 7, 40),
  outages: fc.constantFrom(0, 1, 5),
});

/** Met or not, in exact fractions. */
const isMetExactly = (share: number, succeeded: number, targeted: number): boolean =>
  BigInt(succeeded) * 10_000n >= BigInt(share) * BigInt(targeted);

describe('a rollout that has its verdict and holds', () => {
  const HOLDING = { state: 'succeeded', isHolding: true, wave: 1 } as const;
  const done = {
    counts: { targeted: 20, succeeded: 20, failed: 0 },
    inWave: { active: 0, ready: 2, succeeded: 20, failed: 0 },
  };

  it('N60 gives work to hosts that came later, within its limits, also after its deadline', () => {
    const policy = { ...POLICY, concurrency: { perSite: 1 } };
    expect(steps({ ...HOLDING, ...done, policy }, 5_000)).toEqual([{ do: 'dispatch', site: 'a', hosts: 1 }]);
    expect(steps({ ...HOLDING, ...done, staged: 1, sites: [] })).toEqual([{ do: 'activate', hosts: 1 }]);
  });

  it('N60 begins with nothing while its window is closed or no source can be used, and never moves', () => {
    expect(steps({ ...HOLDING, ...done, isWindowOpen: false })).toEqual([]);
    expect(steps({ ...HOLDING, ...done, isSourceUsable: false })).toEqual([]);
    expect(steps({ ...HOLDING, ...done, sites: [{ site: 'a', ready: 0, active: 0, held: 3 }] })).toEqual([]);
    expect(steps({ ...HOLDING, ...done, isHolding: false })).toEqual([]);
  });
});

describe('a rollout whose sites have byte budgets', () => {
  const held = { site: 'a', ready: 0, active: 0, held: 2 };

  it('N61 pauses when the budgets hold back every host that it could go on with, and names the sites', () => {
    expect(steps({ sites: [held, { ...held, site: 'b' }] })).toMatchObject([
      { do: 'move', event: 'pause', pauseReason: 'budget', sentence: expect.stringContaining('a, b') },
    ]);
  });

  it('N61 runs on while a host is at work, or another site has room', () => {
    expect(
      moves(steps({ sites: [{ ...held, active: 1 }], inWave: { active: 1, ready: 2, succeeded: 0, failed: 0 } })),
    ).toEqual([]);
    expect(steps({ sites: [held, { site: 'b', ready: 1, active: 0 }] })).toEqual([
      { do: 'dispatch', site: 'b', hosts: 1 },
    ]);
  });

  it('N61 resumes by itself from that pause alone', () => {
    const room = { state: 'paused', sites: [{ site: 'a', ready: 1, active: 0, held: 1 }] } as const;
    expect(moves(steps({ ...room, pauseReason: 'budget' }))).toEqual(['resume']);
    expect(moves(steps({ ...room, pauseReason: 'manual' }))).toEqual([]);
    expect(moves(steps({ state: 'paused', pauseReason: 'budget', sites: [held] }))).toEqual([]);
  });
});

describe('a rollout from its start to its verdict', () => {
  it('ends with the right verdict, never breaks a limit, and begins nothing while it is paused or its window is closed', () => {
    const ends = new Set<string>();
    fc.assert(
      fc.property(
        policies,
        fc.integer({ min: 1, max: 40 }),
        fc.infiniteStream(fc.nat(99)),
        weather,
        (policy, hosts, dice, around) => {
          const rollout = new SimulatedRollout(policy, hosts, dice, around);
          rollout.run(4_000);
          const { state, counts } = rollout;
          ends.add(state);
          expect(isFinalRollout(state)).toBe(true);
          expect(counts.succeeded + counts.failed).toBe(counts.targeted);
          const isMet = isMetExactly(policy.successShare, counts.succeeded, counts.targeted);
          expect(isThresholdMet(policy.successShare, counts)).toBe(isMet);
          if (state === 'succeeded') expect(counts.failed).toBe(0);
          else expect(counts.failed).toBeGreaterThan(0);
          if (state === 'succeeded_with_failures') expect(isMet).toBe(true);
          if (state === 'timed_out') expect(isMet).toBe(false);
          if (state === 'failed') expect(!isMet || policy.abort?.action === 'stop').toBe(true);
        },
      ),
      { numRuns: 500 },
    );
    expect(ends.size).toBeGreaterThan(2);
  });
});
