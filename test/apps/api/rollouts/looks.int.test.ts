import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import { silentLogger } from '#core/logger';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import type { Changes } from '../../../../apps/api/live/changes.ts';
import { conductAll, type Memory } from '../../../../apps/api/rollouts/conductor.ts';
import { many, startRollouts, type RolloutKit } from './rollout-kit.ts';

describe('what a conductor looks at, round by round', () => {
  let kit: RolloutKit;
  let memory: Memory;
  beforeEach(async () => {
    kit = await startRollouts();
    memory = new Map();
  });
  afterEach(() => kit.stop());

  const look = (): Promise<void> => conductAll({ ...kit.api.deps, log: silentLogger }, memory);

  /** Ends the downloads without a look of the conductor, and without a word of the hosts. */
  const ended = async (hosts: readonly string[], status = 'success'): Promise<void> => {
    const sql = `UPDATE downloads SET status = $2, outcome = 'primary_success' WHERE host = ANY($1::text[])`;
    await kit.api.deps.database.pool.query(sql, [hosts, status]);
  };

  const begun = async (count: number): Promise<string> => {
    await kit.report(many(count));
    const { id } = await kit.create({ waves: [{ percent: 100 }], host: { stall: '10m' } });
    await look();
    // From here on nothing of the past is new.
    kit.pass(5 * SECOND_MS);
    await look();
    return id;
  };

  it('takes up at once what became of hosts that were heard of, and of all others within ten seconds', async () => {
    const id = await begun(4);
    await ended(many(4));
    await kit.report(['gpu-001', 'gpu-002']);
    await look();
    expect(await kit.namesIn(id, 'done')).toEqual(['gpu-001', 'gpu-002']);
    kit.pass(6 * SECOND_MS);
    await look();
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded', counts: { succeeded: 4 } });
  });

  it('sees that hosts fell silent, that they come back and that they stall, although nothing is heard of them', async () => {
    const id = await begun(2);
    await kit.silence(['gpu-000']);
    await look();
    expect(await kit.namesIn(id, 'unknown')).toEqual(['gpu-000']);
    await kit.report(many(2));
    await look();
    expect(await kit.namesIn(id, 'queued')).toEqual(many(2));
    kit.pass(10 * MINUTE_MS);
    memory.set(id, { lastAt: kit.api.deps.now().getTime(), allAt: kit.api.deps.now().getTime(), mark: '' });
    await look();
    expect(await kit.namesIn(id, 'failed')).toEqual(many(2));
  });

  it('tells within two rounds that a newer rollout has taken all hosts of an older one', async () => {
    const id = await begun(2);
    const told: string[] = [];
    const changes: Changes = {
      ...kit.api.deps.changes,
      notify: (ids, kind) => void (kind === 'rollouts' && told.push(...ids)),
    };
    const newer = (await kit.post({ models: ['whisper@2'] })).json<Rollout>();
    for (let round = 0; round < 2; round += 1)
      await conductAll({ ...kit.api.deps, changes, log: silentLogger }, memory);
    expect((await kit.get(id)).state).toBe('superseded');
    expect(told).toEqual([newer.id, id]);
  });

  it('forgets the looks at rollouts that have their verdict', async () => {
    const id = await begun(1);
    expect([...memory.keys()]).toEqual([id]);
    await ended(many(1));
    await kit.report(many(1));
    await look();
    await look();
    expect(memory.size).toBe(0);
  });
});
