import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fc } from '../../../helpers/properties.ts';
import { many, startRollouts, type RolloutKit } from './rollout-kit.ts';

const HOSTS = many(6);
const RUNS = 15;

const step = fc.oneof(
  fc.record({
    do: fc.constant('end' as const),
    hosts: fc.subarray(HOSTS, { minLength: 1 }),
    how: fc.constantFrom('success' as const, 'failed' as const, 'cache_hit' as const),
  }),
  fc.record({
    do: fc.constantFrom('report' as const, 'silence' as const),
    hosts: fc.subarray(HOSTS, { minLength: 1 }),
  }),
  fc.record({ do: fc.constant('act' as const), action: fc.constantFrom('pause', 'resume', 'retry', 'cancel') }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1_000, 60_000, 1_000_000) }),
);

describe('a rollout under random steps of hosts and people', () => {
  let kit: RolloutKit;
  beforeAll(async () => {
    kit = await startRollouts();
  });
  afterAll(() => kit.stop());

  async function carryOut(id: string, one: typeof step extends fc.Arbitrary<infer Step> ? Step : never): Promise<void> {
    if (one.do === 'end') return kit.end(one.hosts, one.how);
    if (one.do === 'act') await kit.act(id, one.action);
    else if (one.do === 'pass') kit.pass(one.ms);
    else await kit[one.do](one.hosts);
    await kit.conduct();
  }

  it('N11 makes only legal moves, counts each host once, and reaches its verdict', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 12 }),
        fc.constantFrom('wait' as const, 'skip' as const, 'fail' as const),
        fc.constantFrom('stop' as const, 'continue' as const),
        async (steps, offline, onFailure) => {
          await kit.report(HOSTS);
          const body = {
            canary: 2,
            batch: { percent: 50 },
            success: { percent: 50 },
            offline,
            onFailure,
            deadline: '2h',
          };
          const { id } = await kit.create(body);
          for (const one of steps) {
            await carryOut(id, one);
            const { counts } = await kit.get(id);
            const { late, alreadyPresent, targeted, skipped, superseded, ...states } = counts;
            expect([late, alreadyPresent <= states.succeeded, skipped + superseded + targeted]).toEqual([0, true, 6]);
            expect(Object.values(states).reduce((sum, count) => sum + count, 0)).toBe(targeted);
          }
          kit.pass(7_200_001);
          await kit.conduct();
          expect((await kit.get(id)).isFinal).toBe(true);
        },
      ),
      { numRuns: RUNS },
    );
  });
});
