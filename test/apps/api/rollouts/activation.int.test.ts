import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ActivateOrder } from '#contracts/worker/worker-events';
import type { RolloutErrors, RolloutEvents } from '#contracts/http/rollouts/rollout-lists';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import { ordersKey } from '#queue/keys';
import { many, startRollouts, type RolloutKit } from './rollout-kit.ts';

describe('the activation of a rollout', () => {
  let kit: RolloutKit;
  beforeEach(async () => {
    kit = await startRollouts();
    await kit.report(many(4));
  });
  afterEach(() => kit.stop());

  const orderTo = async (host: string): Promise<ActivateOrder | undefined> => {
    const { queues, prefix } = kit.api.deps;
    const [json] = Object.values(await queues.redis.hgetall(ordersKey(prefix, host)));
    return json === undefined ? undefined : ActivateOrder.parse(JSON.parse(json));
  };

  it('stages hosts that have every file, tells them to show it, and is done when they say so', async () => {
    const commands = { before: 'check', after: 'reload' };
    const { id } = await kit.create({ mode: 'activate', commands, canary: 1, batch: { percent: 100 } });
    const job = await kit.api.deps.database.pool.query('SELECT DISTINCT is_held FROM downloads');
    expect(job.rows).toEqual([{ is_held: true }]);
    await kit.end(['gpu-000'], 'success');
    expect(await kit.namesIn(id, 'activating')).toEqual(['gpu-000']);
    expect(await kit.namesIn(id, 'queued')).toEqual([]);
    expect(await orderTo('gpu-000')).toMatchObject({ id, models: [{ name: 'whisper', version: '1' }], ...commands });
    expect(await kit.answer()).toEqual(['gpu-000']);
    expect(await kit.namesIn(id, 'done')).toEqual(['gpu-000']);
    await kit.end(many(4), 'success');
    await kit.answer();
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded', mode: 'activate', counts: { succeeded: 4 } });
    const { events } = (await kit.api.call('GET', `/api/rollouts/${id}/events?limit=500`)).json<RolloutEvents>();
    expect(events.filter(({ host }) => host === 'gpu-000').map(({ to }) => to)).toEqual([
      ...['queued', 'staged', 'activating', 'done'],
    ]);
  });

  it('holds back while the rollout is paused: no further host shows it', async () => {
    const { id } = await kit.create({ mode: 'activate' });
    await kit.act(id, 'pause');
    await kit.end(many(4), 'success');
    expect(await kit.namesIn(id, 'staged')).toEqual(many(4));
    kit.pass(60 * MINUTE_MS);
    await kit.report(many(4));
    await kit.conduct();
    expect(await kit.namesIn(id, 'staged')).toEqual(many(4));
    await kit.act(id, 'resume');
    expect(await kit.namesIn(id, 'activating')).toEqual(many(4));
  });

  it('fails a host with the class that its worker gave, and a retry brings no byte again', async () => {
    const { id } = await kit.create({ mode: 'activate', success: { percent: 75 } });
    await kit.end(many(4), 'success');
    await kit.answer({ errorKind: 'after_command', message: 'command reload: exit code 3' }, ['gpu-001']);
    await kit.answer();
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded_with_failures', counts: { failed: 1 } });
    const { errors } = (await kit.api.call('GET', `/api/rollouts/${id}/errors`)).json<RolloutErrors>();
    expect(errors).toMatchObject([{ reason: 'after_command', message: 'command reload: exit code 3' }]);
    await kit.act(id, 'retry');
    await kit.end(['gpu-001'], 'cache_hit');
    expect(await kit.answer()).toEqual(['gpu-001']);
    expect((await kit.get(id)).state).toBe('succeeded');
  });

  it('N21 gives an order again that was lost, as the same order, and takes one answer', async () => {
    const { id } = await kit.create({ mode: 'activate' });
    await kit.end(many(4), 'success');
    const first = await orderTo('gpu-000');
    const { queues, prefix } = kit.api.deps;
    await queues.redis.del(ordersKey(prefix, 'gpu-000'));
    kit.pass(29 * SECOND_MS);
    await kit.conduct();
    expect(await orderTo('gpu-000')).toBeUndefined();
    kit.pass(SECOND_MS);
    await kit.conduct();
    expect(await orderTo('gpu-000')).toEqual(first);
    expect(await kit.answer()).toEqual(many(4));
    expect(await kit.answer({ errorKind: 'storage', message: 'late' })).toEqual([]);
    expect((await kit.get(id)).state).toBe('succeeded');
  });

  it('takes the orders of hosts back that are away when the rollout is cancelled', async () => {
    const { id } = await kit.create({ mode: 'activate' });
    await kit.end(many(4), 'success');
    await kit.answer(undefined, ['gpu-000']);
    expect(await orderTo('gpu-001')).toMatchObject({ id });
    await kit.act(id, 'cancel');
    for (const host of many(4).slice(1)) expect(await orderTo(host)).toBeUndefined();
    expect(await kit.get(id)).toMatchObject({ state: 'cancelled', counts: { succeeded: 1, cancelled: 3 } });
  });

  it('fails a host whose worker does not answer for as long as a host may stall', async () => {
    const { id } = await kit.create({ mode: 'activate', onFailure: 'continue', host: { stall: '15m' } });
    await kit.end(many(4), 'success');
    await kit.answer(undefined, many(3));
    kit.pass(15 * MINUTE_MS - SECOND_MS);
    await kit.report(many(4));
    await kit.conduct();
    expect(await kit.namesIn(id, 'activating')).toEqual(['gpu-003']);
    kit.pass(SECOND_MS);
    await kit.report(many(4));
    await kit.conduct();
    expect(await kit.hosts(id, '&state=failed')).toMatchObject([{ host: 'gpu-003', reason: 'activation_lost' }]);
  });

  it('takes the answer of a host that fell silent meanwhile', async () => {
    const { id } = await kit.create({ mode: 'activate' });
    await kit.end(many(4), 'success');
    await kit.silence(['gpu-002']);
    await kit.conduct();
    expect(await kit.namesIn(id, 'unknown')).toEqual(['gpu-002']);
    await kit.answer();
    expect((await kit.get(id)).state).toBe('succeeded');
  });

  it('with mode download is done when the files are there, and tells no host to show them', async () => {
    const { id } = await kit.create({ mode: 'download' });
    await kit.end(many(4), 'success');
    expect(await kit.get(id)).toMatchObject({ state: 'succeeded', mode: 'download' });
    expect(await orderTo('gpu-000')).toBeUndefined();
  });

  it('a later request for what is only stored asks the host again', async () => {
    await kit.create({ mode: 'download' });
    await kit.end(many(4), 'success');
    const asked = { model: 'whisper', version: '1', hosts: ['gpu-000'] };
    await kit.api.call('POST', '/api/downloads?trust=rows', asked);
    const sql = `SELECT is_held, status FROM downloads WHERE host = 'gpu-000' ORDER BY is_held`;
    expect((await kit.api.deps.database.pool.query(sql)).rows).toEqual([
      ...[1, 2].map(() => ({ is_held: false, status: 'pending' })),
      ...[1, 2].map(() => ({ is_held: true, status: 'success' })),
    ]);
  });

  it.each([
    [{ commands: { before: 'check' } }, 'commands'],
    [{ mode: 'activate', commands: { after: 'rm -rf /' } }, 'commands/after'],
    [{ mode: 'show' }, 'mode'],
    [{ priority: 0 }, 'priority'],
    [{ priority: 1.5 }, 'priority'],
    [{ priority: 1_000_001 }, 'priority'],
  ])('refuses %j and names the field', async (body, field) => {
    const answer = await kit.post(body as object);
    expect([answer.statusCode, answer.json<{ errors: object[] }>().errors]).toEqual([
      400,
      [expect.objectContaining({ pointer: `/${field}` })],
    ]);
  });
});

describe('the priority of a rollout', () => {
  let kit: RolloutKit;
  beforeEach(async () => {
    kit = await startRollouts();
    await kit.report(many(2));
  });
  afterEach(() => kit.stop());

  it('is the order in which rollouts give work to hosts, and that of the jobs of a host', async () => {
    const startsAt = new Date(kit.api.deps.now().getTime() + MINUTE_MS).toISOString();
    const shared = { supersede: 'none' as const, startsAt, exclude: ['gpu-001'] };
    const late = await kit.create({ ...shared, priority: 900 });
    const first = await kit.create({ ...shared, models: ['whisper@2'], priority: 10 });
    kit.pass(MINUTE_MS);
    await kit.report(many(2));
    await kit.conduct();
    const sql = `SELECT DISTINCT d.priority, l.rollout_id AS id, min(e.sequence) AS sequence FROM downloads d
      JOIN rollout_downloads l ON l.download_id = d.id
      JOIN rollout_events e ON e.rollout_id = l.rollout_id AND e.event = 'dispatch'
      GROUP BY 1, 2 ORDER BY sequence`;
    const { rows } = await kit.api.deps.database.pool.query(sql);
    expect(rows.map(({ priority, id }) => [priority, id])).toEqual([
      [10, first.id],
      [900, late.id],
    ]);
  });
});
