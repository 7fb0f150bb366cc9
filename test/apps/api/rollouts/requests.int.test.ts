import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Problem } from '#contracts/http/problem';
import type { Rollout, RolloutPlan } from '#contracts/http/rollouts/rollout';
import type { RolloutHostList, RolloutList } from '#contracts/http/rollouts/rollout-lists';
import { conductRollout } from '#database/rollouts/rounds/conduct-rollout';
import { many, startRollouts, type RolloutKit } from './rollout-kit.ts';

describe('requests for rollouts', () => {
  let kit: RolloutKit;
  beforeEach(async () => {
    kit = await startRollouts();
    await kit.report(many(3));
  });
  afterEach(() => kit.stop());

  const refusal = async (answer: Promise<{ statusCode: number; json<T>(): T }>): Promise<[number, string]> => {
    const { statusCode, json } = await answer;
    return [statusCode, json<Problem>().code];
  };

  it('answer 201 with a Location, and make nothing in Redis', async () => {
    const made = await kit.post({});
    expect([made.statusCode, made.headers.get('location')]).toEqual([201, made.json<Rollout>().links.self]);
    expect(made.json<Rollout>()).toMatchObject({ state: 'scheduled', counts: { targeted: 3, pending: 3 } });
    expect(made.json<Rollout>().models).toEqual([{ name: 'whisper', version: '1', files: 2, sizeBytes: 2000 }]);
  });

  it('N09 with the same key make one rollout, and with another body they are refused', async () => {
    const key = { 'idempotency-key': 'run-1' };
    const made = await Promise.all([kit.post({}, key), kit.post({}, key), kit.post({}, key)]);
    const codes = made.map(({ statusCode }) => statusCode);
    expect(codes.every((code) => code === 201 || code === 409)).toBe(true);
    const again = await kit.post({}, key);
    expect(again.statusCode).toBe(201);
    const ids = made.filter(({ statusCode }) => statusCode === 201).map((answer) => answer.json<Rollout>().id);
    expect(new Set([...ids, again.json<Rollout>().id]).size).toBe(1);
    expect(await refusal(kit.post({ selector: 'gpu' }, key))).toEqual([422, 'key-reused']);
    const other = await kit.api.call(
      'POST',
      '/api/rollouts',
      { models: ['whisper@2'], selector: 'gpu' },
      {
        ...key,
        authorization: `Bearer ${kit.api.tokens.admin}`,
      },
    );
    expect(other.statusCode).toBe(201);
  });

  it('that are equal find the rollout that is under way, and a new one once it ended', async () => {
    const first = (await kit.post({})).json<Rollout>();
    const second = await kit.post({});
    expect([second.statusCode, second.json<Rollout>().id]).toEqual([200, first.id]);
    await kit.act(first.id, 'cancel');
    expect((await kit.post({})).json<Rollout>().id).not.toBe(first.id);
  });

  it('without a matching host are an error, unless that is allowed', async () => {
    expect(await refusal(kit.post({ selector: 'zone=mars' }))).toEqual([422, 'no-hosts-matched']);
    const { state, counts } = await kit.create({ selector: 'zone=mars', allowEmpty: true });
    expect([state, counts.targeted]).toEqual(['succeeded', 0]);
  });

  it.each([
    [{ models: ['nobody@1'] }, 404, 'unknown-model'],
    [{ models: ['whisper@9'] }, 404, 'unknown-version'],
    [{ models: ['whisper@1', 'whisper@2'] }, 400, 'invalid-request'],
    [{ selector: 'a b' }, 400, 'invalid-request'],
    [{ waves: [{ hosts: 1, percent: 5 }] }, 400, 'invalid-request'],
    [{ success: { percent: 99.999 } }, 400, 'invalid-request'],
    [{ windows: [{ cron: '61 * * * *', for: '1h' }] }, 400, 'invalid-request'],
    [{ windows: [{ cron: '0 1 * * *', for: '1h', tz: 'Mars/Base' }] }, 400, 'invalid-request'],
    [{ deadline: 'soon' }, 400, 'invalid-request'],
    [{ canary: 1, waves: [{ hosts: 1 }] }, 400, 'invalid-request'],
  ] as const)('refuse %j', async (body, status, code) => {
    expect(await refusal(kit.post(body as never))).toEqual([status, code]);
  });

  it('with dryRun answer what would happen, and change nothing', async () => {
    await kit.api.call('PATCH', '/api/hosts/gpu-002/labels', { site: 'eu' });
    await kit.api.deps.database.pool.query(`UPDATE hosts SET free_bytes = 500 WHERE name = 'gpu-001'`);
    await kit.api.call('POST', '/api/downloads', { model: 'whisper', version: '1', host: 'gpu-000' });
    await kit.end(['gpu-000'], 'success');
    const answer = await kit.post({ canary: 1, batch: { hosts: 1 }, success: { percent: 50 } }, {}, '?dryRun=true');
    expect(answer.statusCode).toBe(200);
    expect(answer.json<RolloutPlan>()).toMatchObject({
      dryRun: true,
      hosts: 3,
      threshold: { required: 2, allowedFailures: 1 },
      waves: [
        { name: 'canary', hosts: 1 },
        { name: 'wave-2', hosts: 1 },
        { name: 'wave-3', hosts: 1 },
      ],
      sites: [
        { site: '', hosts: 2, bytes: 2000, freeBudgetBytes: null },
        { site: 'eu', hosts: 1, bytes: 2000, freeBudgetBytes: null },
      ],
      bytes: { total: 6000, present: 2000, missing: 4000 },
      hostsWithoutSpace: [{ host: 'gpu-001', freeBytes: 500, missingBytes: 1500 }],
    });
    expect((await kit.api.call('GET', '/api/rollouts')).json<RolloutList>().rollouts).toEqual([]);
  });

  it('pause, resume and cancel it, once, and only from where that is possible', async () => {
    const { id } = await kit.create({ concurrency: { global: 1 } });
    expect((await kit.act(id, 'pause')).json<Rollout>()).toMatchObject({ state: 'paused', reason: 'manual' });
    expect((await kit.act(id, 'pause')).statusCode).toBe(200);
    await kit.end(['gpu-000'], 'success');
    expect((await kit.get(id)).counts).toMatchObject({ succeeded: 1, pending: 2, running: 0 });
    await kit.act(id, 'resume');
    expect((await kit.get(id)).counts.running).toBe(1);
    expect((await kit.act(id, 'cancel')).json<Rollout>()).toMatchObject({
      state: 'cancelled',
      counts: { cancelled: 2 },
    });
    expect((await kit.act(id, 'cancel')).statusCode).toBe(200);
    for (const action of ['resume', 'retry', 'approve'])
      expect(await refusal(kit.act(id, action))).toEqual([409, 'illegal-move']);
  });

  it('with If-Match change it only as it was read', async () => {
    const { id } = await kit.create({});
    const etag = (await kit.api.call('GET', `/api/rollouts/${id}`)).headers.get('etag')!;
    expect((await kit.act(id, 'pause', undefined, { 'if-match': etag })).statusCode).toBe(200);
    expect(await refusal(kit.act(id, 'resume', undefined, { 'if-match': etag }))).toEqual([412, 'precondition-failed']);
    expect(await refusal(kit.act(id, 'resume', undefined, { 'if-match': '"x"' }))).toEqual([
      412,
      'precondition-failed',
    ]);
  });

  it('N08 of a newer version take its hosts away from an older rollout, which goes on with those it keeps', async () => {
    await kit.report(['cpu-000'], { gpu: 'false' });
    const older = await kit.create({ selector: '' });
    expect(older.counts.targeted).toBe(4);
    const newer = await kit.create({ models: ['whisper@2'] });
    expect(await kit.get(older.id)).toMatchObject({ state: 'running', counts: { targeted: 1, superseded: 3 } });
    expect(await kit.get(newer.id)).toMatchObject({ state: 'running', counts: { running: 3 } });
    await kit.create({ models: ['whisper@2'], selector: 'gpu=false' });
    expect((await kit.get(older.id)).state).toBe('superseded');
    const open = await kit.api.deps.database.pool.query(
      `SELECT DISTINCT version FROM downloads WHERE status = 'pending' ORDER BY version`,
    );
    expect(open.rows).toEqual([{ version: '2' }]);
  });

  it('leave a download alone that somebody else asked for', async () => {
    await kit.api.call('POST', '/api/downloads', { model: 'whisper', version: '1', host: 'gpu-000' });
    const { id } = await kit.create({});
    await kit.act(id, 'cancel');
    const { rows } = await kit.api.deps.database.pool.query('SELECT host, status FROM downloads ORDER BY host, path');
    expect(rows.map(({ host, status }) => `${host} ${status}`)).toEqual([
      ...['gpu-000 pending', 'gpu-000 pending', 'gpu-001 cancelled', 'gpu-001 cancelled'],
      ...['gpu-002 cancelled', 'gpu-002 cancelled'],
    ]);
  });

  it('wait for a change, and list rollouts and hosts page by page', async () => {
    const { id, version } = await kit.create({});
    const waiting = kit.api.call('GET', `/api/rollouts/${id}?wait=30s&after=${version}`);
    await kit.end(many(3), 'success');
    expect((await waiting).json<Rollout>().version).not.toBe(version);
    const final = kit.api.call('GET', `/api/rollouts/${id}?wait=30s&until=final`);
    expect((await final).json<Rollout>().state).toBe('succeeded');
    const first = (await kit.api.call('GET', `/api/rollouts/${id}/hosts?limit=2`)).json<RolloutHostList>();
    const rest = (
      await kit.api.call('GET', `/api/rollouts/${id}/hosts?limit=2&cursor=${first.nextCursor}`)
    ).json<RolloutHostList>();
    expect([...first.hosts, ...rest.hosts].map(({ host }) => host)).toEqual(many(3));
    expect(await kit.hosts(id, '&q=002')).toMatchObject([{ host: 'gpu-002', state: 'done', wave: 'all' }]);
    await kit.create({ models: ['whisper@2'] });
    const page = (await kit.api.call('GET', '/api/rollouts?limit=1')).json<RolloutList>();
    const next = (await kit.api.call('GET', `/api/rollouts?limit=1&cursor=${page.nextCursor}`)).json<RolloutList>();
    expect(next.rollouts.map((one) => one.id)).toEqual([id]);
    expect((await kit.api.call('GET', '/api/rollouts?state=succeeded')).json<RolloutList>().rollouts).toHaveLength(1);
    expect(await refusal(kit.api.call('GET', '/api/rollouts/00000000-0000-4000-8000-000000000000'))).toEqual([
      404,
      'unknown-rollout',
    ]);
  });

  it('N02 several conductors at once give each host its work once', async () => {
    const { id } = (await kit.post({})).json<Rollout>();
    const now = kit.api.deps.now();
    const around = { now, isWindowOpen: true, aliveSince: new Date(now.getTime() - 60_000) };
    const rounds = await Promise.all([1, 2, 3].map(() => conductRollout(kit.api.deps.database, id, around)));
    expect(rounds.reduce((sum, { dispatched }) => sum + dispatched, 0)).toBe(3);
    const { rows } = await kit.api.deps.database.pool.query('SELECT count(*) AS count FROM downloads');
    expect(Number(rows[0].count)).toBe(6);
  });
});
