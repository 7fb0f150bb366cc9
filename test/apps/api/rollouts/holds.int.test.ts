import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Problem } from '#contracts/http/problem';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import type { HostDetail } from '#contracts/http/status';
import { DAY_MS, HOUR_MS } from '#core/units';
import { many, startRollouts, type RolloutKit } from './rollout-kit.ts';

/** After this long a rollout looks again for hosts that match. */
const LOOKS_AGAIN_MS = 10_000;

describe('a rollout that holds', () => {
  let kit: RolloutKit;
  beforeEach(async () => {
    kit = await startRollouts();
  });
  afterEach(() => kit.stop());

  const later = async (
    hosts: readonly string[],
    ms = LOOKS_AGAIN_MS,
    others: readonly string[] = [],
  ): Promise<void> => {
    kit.pass(ms);
    await kit.report(hosts);
    await kit.report(others, {});
    await kit.conduct();
  };
  const desired = async (host: string): Promise<HostDetail['desired']> =>
    (await kit.api.call('GET', `/api/hosts/${host}`)).json<HostDetail>().desired;
  const asked = async (host: string): Promise<string[]> => {
    const sql = 'SELECT DISTINCT version FROM downloads WHERE host = $1 ORDER BY 1';
    const { rows } = await kit.api.deps.database.pool.query<{ version: string }>(sql, [host]);
    return rows.map(({ version }) => version);
  };
  const held = async (hosts: readonly string[], models = ['whisper@1'], more: object = {}): Promise<string> => {
    const { id } = await kit.create({ models, hold: true, ...more });
    await kit.end(hosts, 'success');
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded', hold: true, isHolding: true });
    return id;
  };

  it('N60 gives its models to a host that joins after its end, and to one that gets the label then', async () => {
    await kit.report(['gpu-000']);
    await kit.report(['cpu-000'], {});
    const id = await held(['gpu-000']);
    await later(many(2), LOOKS_AGAIN_MS, ['cpu-000']);
    expect(await kit.namesIn(id, 'queued')).toEqual(['gpu-001']);
    expect(await desired('gpu-001')).toMatchObject([
      { model: 'whisper', version: '1', state: 'on_its_way', files: 2, presentFiles: 0, rolloutId: id },
    ]);
    expect(await desired('cpu-000')).toEqual([]);
    await kit.end(['gpu-001'], 'success');
    await kit.api.call('PATCH', '/api/hosts/cpu-000/labels', { gpu: 'true' });
    await later(many(2), LOOKS_AGAIN_MS, ['cpu-000']);
    expect(await kit.namesIn(id, 'queued')).toEqual(['cpu-000']);
    await kit.end(['cpu-000'], 'success');
    expect(await desired('cpu-000')).toMatchObject([{ state: 'present', presentFiles: 2 }]);
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded', counts: { targeted: 1, succeeded: 1, late: 2 } });
    const before = await kit.hosts(id);
    await later(many(2), LOOKS_AGAIN_MS, ['cpu-000']);
    expect(await kit.hosts(id)).toEqual(before);
  });

  it('N60 a host that returns after days gets what is held now, not every version that it missed', async () => {
    await kit.report(many(2));
    await kit.silence(['gpu-001']);
    const spec = { offline: 'skip' as const };
    const first = await held(['gpu-000'], ['whisper@1'], spec);
    kit.pass(DAY_MS);
    await kit.report(['gpu-000']);
    const second = await held(['gpu-000'], ['whisper@2'], spec);
    expect(await kit.get(first)).toMatchObject({ state: 'succeeded', isHolding: false });
    await later(many(2), DAY_MS);
    expect(await kit.namesIn(second, 'queued')).toEqual(['gpu-001']);
    expect(await asked('gpu-001')).toEqual(['2']);
    expect((await kit.get(second)).counts).toMatchObject({ targeted: 1, succeeded: 1, late: 1 });
  });

  it('N60 of two that hold for different hosts the one that started later decides where both match', async () => {
    await kit.report(['gpu-000'], { gpu: 'true' });
    await kit.report(['gpu-100'], { gpu: 'true', env: 'test' });
    const wide = await held(many(101), ['whisper@1']);
    const narrow = await held(['gpu-100'], ['whisper@2'], { selector: 'env=test' });
    expect(await kit.get(wide)).toMatchObject({ isHolding: true });
    kit.pass(LOOKS_AGAIN_MS);
    await kit.report(['gpu-101'], { gpu: 'true', env: 'test' });
    await kit.report(['gpu-001']);
    await kit.conduct();
    expect(await asked('gpu-101')).toEqual(['2']);
    expect(await asked('gpu-001')).toEqual(['1']);
    expect(await kit.namesIn(narrow, 'queued')).toEqual(['gpu-101']);
  });

  it('N60 does not take a host back from what was asked for later', async () => {
    await kit.report(['gpu-000']);
    await kit.report(['gpu-001'], {});
    const id = await held(['gpu-000']);
    kit.pass(HOUR_MS);
    await kit.report(many(2), {});
    await kit.api.call('POST', '/api/downloads', { model: 'whisper', version: '2', host: 'gpu-001' });
    await later(many(2));
    expect(await kit.namesIn(id, 'queued')).toEqual([]);
    expect(await desired('gpu-001')).toMatchObject([{ version: '2', rolloutId: null }]);
  });

  it('N60 gives a host that timed out its models once it is back, and keeps the verdict', async () => {
    await kit.report(many(2));
    const { id } = await kit.create({ hold: true, success: { percent: 50 }, deadline: '1h' });
    await kit.end(['gpu-000'], 'success');
    await kit.silence(['gpu-001']);
    kit.pass(HOUR_MS);
    await kit.conduct();
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded_with_failures', isHolding: true });
    expect(await desired('gpu-001')).toMatchObject([{ state: 'cancelled' }]);
    await later(many(2));
    expect(await kit.namesIn(id, 'queued')).toEqual(['gpu-001']);
    await kit.end(many(2), 'success');
    const counts = { targeted: 2, succeeded: 2, timedOut: 0, late: 0 };
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded_with_failures', isHolding: true, counts });
  });

  it('N60 waits for hosts where none matches yet', async () => {
    const { id } = await kit.create({ hold: true, allowEmpty: true });
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded', isHolding: true, counts: { targeted: 0 } });
    await later(['gpu-000']);
    expect(await kit.namesIn(id, 'queued')).toEqual(['gpu-000']);
    await kit.end(['gpu-000'], 'success');
    expect(await kit.namesIn(id, 'done')).toEqual(['gpu-000']);
  });

  it('N60 gives up hosts that it is at work with to a newer rollout of the model', async () => {
    await kit.report(['gpu-000']);
    const id = await held(['gpu-000']);
    await later(many(2));
    const { id: newer } = await kit.create({ models: ['whisper@2'] });
    expect(await kit.namesIn(id, 'superseded')).toEqual(['gpu-001']);
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded', isHolding: true });
    await kit.end(many(2), 'success');
    expect(await kit.get(newer)).toMatchObject({ state: 'succeeded', counts: { targeted: 2 } });
    await later(many(2));
    expect(await desired('gpu-001')).toMatchObject([{ version: '2', rolloutId: newer, state: 'present' }]);
  });

  it('N60 leaves a host alone that failed by itself until a person asks for a retry', async () => {
    await kit.report(['gpu-000']);
    const id = await held(['gpu-000']);
    await later(many(2));
    await kit.end(['gpu-001'], 'failed', 'denied');
    await later(many(2));
    expect(await kit.namesIn(id, 'failed')).toEqual(['gpu-001']);
    expect((await kit.act(id, 'retry')).statusCode).toBe(200);
    expect(await kit.namesIn(id, 'queued')).toEqual(['gpu-001']);
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded', isHolding: true });
  });

  it('N60 gives a host that was forgotten and is back its models again', async () => {
    await kit.report(many(2));
    const id = await held(many(2));
    await kit.silence(['gpu-001']);
    expect((await kit.api.call('DELETE', '/api/hosts/gpu-001')).statusCode).toBe(200);
    await later(many(2));
    expect(await kit.namesIn(id, 'queued')).toEqual(['gpu-001']);
  });

  it('N60 keeps the limits of the rollout, and shows the version by an order where the rollout does', async () => {
    await kit.report(['gpu-000']);
    const { id } = await kit.create({ hold: true, concurrency: { global: 1 }, mode: 'activate' });
    await kit.end(['gpu-000'], 'success');
    await kit.answer();
    await later(many(3));
    expect(await kit.namesIn(id, 'queued')).toEqual(['gpu-001']);
    await kit.end(many(3), 'success');
    expect(await kit.answer()).toEqual(['gpu-001']);
    await kit.conduct();
    expect(await kit.namesIn(id, 'queued')).toEqual(['gpu-002']);
  });

  it('N60 ends when it is released; repeating that changes nothing, and other rollouts cannot be released', async () => {
    await kit.report(['gpu-000']);
    const id = await held(['gpu-000']);
    const tag = (await kit.api.call('GET', `/api/rollouts/${id}`)).headers.get('etag')!;
    expect((await kit.act(id, 'release', undefined, { 'if-match': '"1"' })).statusCode).toBe(412);
    const released = await kit.act(id, 'release', undefined, { 'if-match': tag });
    expect([released.statusCode, released.json<Rollout>().isHolding]).toEqual([200, false]);
    expect((await kit.act(id, 'release')).statusCode).toBe(200);
    await later(many(2));
    expect(await kit.hosts(id)).toHaveLength(1);
    const { id: other } = await kit.create({ models: ['whisper@2'] });
    const refused = await kit.act(other, 'release');
    expect([refused.statusCode, refused.json<Problem>().detail]).toEqual([409, expect.stringContaining('hold: true')]);
  });

  it('N60 ends when a version of its models was deleted, and begins no host again and again', async () => {
    await kit.report(['gpu-000']);
    const id = await held(['gpu-000']);
    await kit.api.deps.database.pool.query(`DELETE FROM manifests WHERE version = '1'`);
    await later(many(2));
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded', isHolding: false });
    expect(await kit.hosts(id, '&state=cancelled')).toMatchObject([
      { host: 'gpu-001', message: expect.stringContaining('a version of its models was deleted') },
    ]);
    expect(await asked('gpu-001')).toEqual([]);
  });

  it('a rollout that failed, or was not asked to, does not hold', async () => {
    await kit.report(['gpu-000']);
    const { id: plain } = await kit.create({});
    await kit.end(['gpu-000'], 'success');
    const { id: bad } = await kit.create({ models: ['whisper@2'], hold: true });
    await kit.end(['gpu-000'], 'failed');
    await later(many(2));
    expect(await kit.get(plain)).toMatchObject({ state: 'succeeded', isHolding: false });
    expect(await kit.get(bad)).toMatchObject({ state: 'failed', isHolding: false });
    expect(await asked('gpu-001')).toEqual([]);
  });
});
