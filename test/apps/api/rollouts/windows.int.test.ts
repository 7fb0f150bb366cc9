import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { HOUR_MS, MINUTE_MS } from '#core/units';
import { many, startRollouts, type RolloutKit } from './rollout-kit.ts';

describe('a rollout with windows', () => {
  let kit: RolloutKit;
  beforeEach(async () => {
    kit = await startRollouts();
  });
  afterEach(() => kit.stop());

  it('begins with hosts only while one of its windows is open', async () => {
    // In the middle of a minute, so that none begins while the test looks.
    kit.pass(1.5 * MINUTE_MS - (kit.api.deps.now().getTime() % MINUTE_MS));
    await kit.report(many(2));
    const minutes = (ms: number): string => String(new Date(kit.api.deps.now().getTime() + ms).getUTCMinutes());
    const windows = [{ cron: `${minutes(20 * MINUTE_MS)} * * * *`, for: '10m' }];
    const { id } = await kit.create({ windows, concurrency: { global: 1 } });
    const closed = await kit.get(id);
    expect(closed).toMatchObject({ state: 'scheduled', reason: 'window' });
    const opensAt = /^its window is closed; the next one opens at (.*)$/.exec(closed.message)![1]!;
    const waitMs = Date.parse(opensAt) - kit.api.deps.now().getTime();
    expect([waitMs > 19 * MINUTE_MS, waitMs <= 20 * MINUTE_MS]).toEqual([true, true]);
    kit.pass(21 * MINUTE_MS);
    await kit.report(many(2));
    await kit.conduct();
    expect(await kit.namesIn(id, 'queued')).toHaveLength(1);
    kit.pass(15 * MINUTE_MS);
    await kit.report(many(2));
    await kit.end(['gpu-000'], 'success');
    expect(await kit.get(id)).toMatchObject({
      state: 'paused',
      reason: 'window',
      counts: { succeeded: 1, pending: 1 },
    });
  });

  it('begins with each host in its own time zone where the window says so, and holds the wave open for the others', async () => {
    const all = async (): Promise<void> => {
      await kit.report(['gpu-here']);
      await kit.report(['gpu-there'], { gpu: 'true' }, 'Etc/GMT-12');
    };
    await all();
    const at = kit.api.deps.now();
    const windows = [{ cron: `${at.getUTCMinutes()} ${at.getUTCHours()} * * *`, for: '1h', tz: 'host' }];
    const { id } = await kit.create({ windows });
    expect(await kit.namesIn(id, 'queued')).toEqual(['gpu-here']);
    expect(await kit.get(id)).toMatchObject({ state: 'running', counts: { pending: 1 } });
    await kit.end(['gpu-here'], 'success');
    await kit.conduct();
    expect(await kit.get(id)).toMatchObject({
      state: 'paused',
      reason: 'window',
      counts: { succeeded: 1, pending: 1 },
    });
    kit.pass(12 * HOUR_MS);
    await all();
    await kit.conduct();
    expect(await kit.namesIn(id, 'queued')).toEqual(['gpu-there']);
    await kit.end(['gpu-there'], 'success');
    expect((await kit.get(id)).state).toBe('succeeded');
  });
});
