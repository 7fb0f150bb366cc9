import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RolloutErrors, RolloutEvents } from '#contracts/http/rollouts/rollout-lists';
import { HOUR_MS, MINUTE_MS } from '#core/units';
import { many, startRollouts, type RolloutKit } from './rollout-kit.ts';

describe('a rollout', () => {
  let kit: RolloutKit;
  beforeEach(async () => {
    kit = await startRollouts();
  });
  afterEach(() => kit.stop());

  const downloads = async (): Promise<number> =>
    Number((await kit.api.deps.database.pool.query('SELECT count(*) AS count FROM downloads')).rows[0].count);

  it('goes through a canary with a gate and a soak, a share and the rest, and every move is an event', async () => {
    await kit.report(many(20));
    const waves = [
      { name: 'canary', hosts: 2, gate: 'manual' as const, soak: '10m' },
      { percent: 50 },
      { percent: 100 },
    ];
    const { id } = await kit.create({ waves });
    expect(await kit.namesIn(id, 'queued')).toEqual(['gpu-000', 'gpu-001']);
    expect(await downloads()).toBe(4);
    await kit.end(['gpu-000'], 'cache_hit');
    await kit.end(['gpu-001'], 'success');
    expect(await kit.get(id)).toMatchObject({ state: 'soaking', counts: { succeeded: 2, alreadyPresent: 1 } });
    kit.pass(10 * MINUTE_MS);
    await kit.report(many(20));
    await kit.conduct();
    expect(await kit.get(id)).toMatchObject({ state: 'paused', reason: 'gate', wave: { index: 0, name: 'canary' } });
    expect((await kit.act(id, 'resume')).statusCode).toBe(200);
    expect(await kit.namesIn(id, 'queued')).toHaveLength(8);
    await kit.end(many(10), 'success');
    expect(await kit.namesIn(id, 'queued')).toHaveLength(10);
    await kit.end(many(20), 'success');
    const done = await kit.get(id);
    expect(done).toMatchObject({ state: 'succeeded', isFinal: true, counts: { targeted: 20, succeeded: 20 } });
    expect(done.bytes).toEqual({ done: 40_000, total: 40_000, perSecond: 0 });
    const { events } = (await kit.api.call('GET', `/api/rollouts/${id}/events?limit=500`)).json<RolloutEvents>();
    expect(events.filter(({ host }) => host === null).map(({ event }) => event)).toEqual([
      ...['create', 'start', 'open_wave', 'soak', 'advance', 'pause', 'resume', 'open_wave', 'open_wave'],
      ...['reach_threshold', 'succeed'],
    ]);
    expect(events.filter(({ host }) => host === 'gpu-005').map(({ to }) => to)).toEqual(['queued', 'done']);
    const sequences = events.map(({ sequence }) => sequence);
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
  });

  it('N03 fails as soon as more hosts failed than 98 % of 240 allow, and not one host before', async () => {
    await kit.report(many(240));
    const { id, threshold } = await kit.create({ success: { percent: 98 } });
    expect(threshold).toEqual({ percent: 98, required: 236, allowedFailures: 4, met: false });
    await kit.end(many(4), 'failed');
    expect(await kit.get(id)).toMatchObject({ state: 'running', counts: { failed: 4 } });
    await kit.end(['gpu-004'], 'failed', 'disk-full');
    const failed = await kit.get(id);
    expect(failed).toMatchObject({ state: 'failed', counts: { failed: 5, cancelled: 235 } });
    const open = `SELECT count(*) AS count FROM downloads WHERE status NOT IN ('failed', 'cancelled')`;
    expect(Number((await kit.api.deps.database.pool.query(open)).rows[0].count)).toBe(0);
    const { errors } = (await kit.api.call('GET', `/api/rollouts/${id}/errors`)).json<RolloutErrors>();
    expect(errors.map(({ reason, count }) => [reason, count])).toEqual([
      ['cancelled', 235],
      ['exhausted', 4],
      ['disk-full', 1],
    ]);
    const retried = await kit.act(id, 'retry');
    expect([retried.statusCode, (await kit.get(id)).state]).toEqual([200, 'running']);
    await kit.end(many(240), 'success');
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded', counts: { succeeded: 240 } });
  });

  it('succeeds with failures at exactly the threshold, once every host has ended', async () => {
    await kit.report(many(10));
    const { id } = await kit.create({ success: { percent: 90 } });
    await kit.end(many(9), 'success');
    expect(await kit.get(id)).toMatchObject({ state: 'running', threshold: { met: true } });
    await kit.end(many(10), 'failed');
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded_with_failures', counts: { succeeded: 9, failed: 1 } });
  });

  it('N04 pauses when its abort limit is reached, and a retry and a resume bring it to its end', async () => {
    await kit.report(many(10));
    const abort = { failedPercent: 50, minSample: 2 };
    const { id } = await kit.create({
      abort,
      success: { percent: 50 },
      concurrency: { global: 2 },
      batch: { percent: 100 },
    });
    await kit.end(['gpu-000'], 'failed');
    expect(await kit.get(id)).toMatchObject({ state: 'running', counts: { running: 2 } });
    await kit.end(['gpu-001'], 'failed', 'denied');
    expect(await kit.get(id)).toMatchObject({
      state: 'paused',
      reason: 'threshold',
      counts: { failed: 2, running: 1 },
    });
    await kit.end(['gpu-002'], 'success');
    expect(await kit.get(id)).toMatchObject({ state: 'paused', counts: { running: 0, pending: 7 } });
    await kit.act(id, 'retry', { reasons: ['denied'] });
    expect(await kit.namesIn(id, 'failed')).toEqual(['gpu-000']);
    await kit.act(id, 'resume');
    for (let round = 0; round < 5; round += 1) await kit.end(many(10), 'success');
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded_with_failures', counts: { succeeded: 9, failed: 1 } });
  });

  it('holds the limit of each site, and takes hosts of all sites in turn', async () => {
    await kit.report(many(4, 'eu-'), { gpu: 'true', site: 'eu' });
    await kit.report(many(4, 'us-'), { gpu: 'true', site: 'us' });
    const { id } = await kit.create({ concurrency: { perSite: 1 } });
    expect(await kit.namesIn(id, 'queued')).toEqual(['eu-000', 'us-000']);
    await kit.end(['us-000'], 'success');
    expect(await kit.namesIn(id, 'queued')).toEqual(['eu-000', 'us-001']);
  });

  it('takes first the hosts that a wave prefers', async () => {
    await kit.report(['gpu-000', 'gpu-001']);
    await kit.report(['gpu-900'], { gpu: 'true', env: 'canary' });
    const { id } = await kit.create({ waves: [{ hosts: 1, prefer: 'env=canary' }, { percent: 100 }] });
    expect(await kit.namesIn(id, 'queued')).toEqual(['gpu-900']);
  });

  it('N05 waits for offline hosts until its deadline; then they timed out', async () => {
    await kit.report(many(4));
    await kit.silence(['gpu-003']);
    const { id } = await kit.create({ success: { percent: 75 }, deadline: '1h' });
    await kit.end(many(3), 'success');
    expect(await kit.get(id)).toMatchObject({ state: 'running', counts: { offline: 1, succeeded: 3 } });
    kit.pass(HOUR_MS - MINUTE_MS);
    await kit.conduct();
    expect((await kit.get(id)).state).toBe('running');
    kit.pass(MINUTE_MS);
    await kit.conduct();
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded_with_failures', counts: { timedOut: 1, failed: 0 } });
  });

  it('N05 gives work to an offline host that returns', async () => {
    await kit.report(many(2));
    await kit.silence(['gpu-001']);
    const { id } = await kit.create({});
    await kit.end(['gpu-000'], 'success');
    expect(await kit.namesIn(id, 'offline')).toEqual(['gpu-001']);
    expect(await downloads()).toBe(2);
    await kit.report(['gpu-001']);
    await kit.conduct();
    expect(await kit.namesIn(id, 'queued')).toEqual(['gpu-001']);
    await kit.end(['gpu-001'], 'success');
    expect((await kit.get(id)).state).toBe('succeeded');
  });

  it.each([
    ['skip', 'succeeded', { targeted: 1, skipped: 1, failed: 0 }],
    ['fail', 'succeeded_with_failures', { targeted: 2, skipped: 0, failed: 1 }],
  ] as const)('with offline: %s ends as %s without the offline host', async (offline, state, counts) => {
    await kit.report(many(2));
    await kit.silence(['gpu-001']);
    const { id } = await kit.create({ offline, success: { percent: 50 } });
    await kit.end(['gpu-000'], 'success');
    expect(await kit.get(id)).toMatchObject({ state, counts });
  });

  it('does not begin with a draining host until it is undrained', async () => {
    await kit.report(['gpu-000']);
    await kit.api.call('POST', '/api/hosts/gpu-000/drain');
    const { id } = await kit.create({});
    expect(await kit.namesIn(id, 'offline')).toEqual(['gpu-000']);
    await kit.api.call('POST', '/api/hosts/gpu-000/undrain');
    await kit.conduct();
    expect(await kit.namesIn(id, 'queued')).toEqual(['gpu-000']);
  });

  it('N06 shows a host whose worker falls silent as unknown, and fails it when it does not come back', async () => {
    await kit.report(many(2));
    const { id } = await kit.create({ host: { stall: '15m' }, onFailure: 'continue' });
    await kit.silence(['gpu-000']);
    await kit.conduct();
    expect(await kit.namesIn(id, 'unknown')).toEqual(['gpu-000']);
    await kit.report(['gpu-000']);
    await kit.conduct();
    expect(await kit.namesIn(id, 'queued')).toEqual(many(2));
    kit.pass(15 * MINUTE_MS);
    await kit.report(['gpu-001']);
    await kit.conduct();
    const failed = await kit.hosts(id, '&state=failed');
    expect(failed.map(({ host, reason }) => [host, reason])).toEqual([
      ['gpu-000', 'worker_lost'],
      ['gpu-001', 'stalled'],
    ]);
    const left = `SELECT DISTINCT status FROM downloads`;
    expect((await kit.api.deps.database.pool.query(left)).rows).toEqual([{ status: 'cancelled' }]);
  });

  it('N07 pauses while every working host waits for a source, blames no host, and goes on by itself', async () => {
    await kit.report(many(3));
    const { id } = await kit.create({ concurrency: { global: 2 }, host: { stall: '15m' } });
    const block = `UPDATE downloads SET status = 'paused', pause_reason = 'sources_unavailable', reason = 'no source answers'`;
    await kit.api.deps.database.pool.query(block);
    await kit.conduct();
    expect(await kit.get(id)).toMatchObject({ state: 'paused', reason: 'source' });
    kit.pass(20 * MINUTE_MS);
    await kit.report(many(3));
    await kit.conduct();
    expect(await kit.get(id)).toMatchObject({ state: 'paused', counts: { failed: 0 } });
    const go = `UPDATE downloads SET status = 'resuming', pause_reason = NULL, reason = NULL WHERE host = 'gpu-000'`;
    await kit.api.deps.database.pool.query(go);
    await kit.conduct();
    expect((await kit.get(id)).state).toBe('running');
  });

  it('N20 names a full disk as the reason of a host that waited for space for as long as a host may stall', async () => {
    await kit.report(many(2));
    const { id } = await kit.create({ host: { stall: '15m' }, success: { percent: 50 } });
    const full = `UPDATE downloads SET status = 'paused', pause_reason = 'disk_full', reason = '41 MB free, 290 MB needed'
      WHERE host = 'gpu-000'`;
    await kit.api.deps.database.pool.query(full);
    await kit.end(['gpu-001'], 'success');
    expect(await kit.hosts(id, '&state=queued')).toMatchObject([
      { host: 'gpu-000', message: expect.stringContaining('41 MB') },
    ]);
    kit.pass(15 * MINUTE_MS);
    await kit.report(many(2));
    await kit.conduct();
    expect(await kit.hosts(id, '&state=failed')).toMatchObject([
      { host: 'gpu-000', reason: 'disk_full', message: 'a.bin: 41 MB free, 290 MB needed' },
    ]);
    expect((await kit.get(id)).state).toBe('succeeded_with_failures');
  });

  it('gives a dynamic rollout hosts that match later, outside its verdict', async () => {
    await kit.report(many(2));
    const { id } = await kit.create({ dynamic: true });
    await kit.report(['gpu-777']);
    kit.pass(11_000);
    await kit.conduct();
    expect(await kit.namesIn(id, 'queued')).toEqual(['gpu-000', 'gpu-001', 'gpu-777']);
    await kit.end(many(2), 'success');
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded', counts: { targeted: 2, late: 1 } });
  });

  it('waits for its start time and for its approval', async () => {
    await kit.report(['gpu-000']);
    const startsAt = new Date(kit.api.deps.now().getTime() + HOUR_MS).toISOString();
    const { id, state } = await kit.create({ approval: 'required', startsAt });
    expect(state).toBe('awaiting_approval');
    await kit.act(id, 'approve');
    const scheduled = await kit.get(id);
    expect(scheduled).toMatchObject({ state: 'scheduled', reason: 'start_time', message: `it starts at ${startsAt}` });
    kit.pass(HOUR_MS - 1000);
    await kit.conduct();
    expect((await kit.get(id)).state).toBe('scheduled');
    kit.pass(1000);
    await kit.report(['gpu-000']);
    await kit.conduct();
    expect((await kit.get(id)).state).toBe('running');
  });
});
