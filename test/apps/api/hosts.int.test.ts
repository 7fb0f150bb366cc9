import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HostOrder } from '#contracts/worker-events';
import type { OrderedVerify } from '#contracts/http/hosts';
import { applyEvents } from '#database/event-queries';
import { batch } from '../../packages/database/fixtures.ts';
import { startApp, type TestApp } from './start-app.ts';

describe('POST /api/hosts/:name/verify', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await startApp();
    await applyEvents(api.deps.database, [batch([], { host: 'gpu-1' })], new Date());
  });
  afterAll(() => api.stop());

  const kept = async (): Promise<HostOrder[]> => {
    const orders = await api.deps.queues.redis.hgetall(`${api.deps.prefix}:orders:gpu-1`);
    return Object.values(orders).map((json) => HostOrder.parse(JSON.parse(json)));
  };

  it('VE3 keeps the order for the worker of the host and says so', async () => {
    const answer = await api.call('POST', '/api/hosts/gpu-1/verify', { model: 'whisper' });
    expect(answer.statusCode).toBe(202);
    const ordered = answer.json<OrderedVerify>();
    expect(ordered).toMatchObject({ host: 'gpu-1', model: 'whisper' });
    expect(await kept()).toMatchObject([{ id: ordered.id, order: 'verify', model: 'whisper' }]);
  });

  it('means everything where no model is named, with and without a body', async () => {
    expect((await api.call('POST', '/api/hosts/gpu-1/verify', {})).json<OrderedVerify>().model).toBeNull();
    expect((await api.call('POST', '/api/hosts/gpu-1/verify')).statusCode).toBe(202);
  });

  it.each([
    ['/api/hosts/nobody/verify', {}, 404, 'unknown-host'],
    ['/api/hosts/gpu-1/verify', { model: 'NOT A NAME' }, 400, 'invalid-request'],
    ['/api/hosts/gpu-1/verify', { models: 'whisper' }, 400, 'invalid-request'],
  ])('POST %s %j is refused as %d', async (path, body, status, code) => {
    const answer = await api.call('POST', path, body);
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([status, code]);
  });

  it('needs a token that may write', async () => {
    const headers = { authorization: `Bearer ${api.tokens.read}` };
    expect((await api.call('POST', '/api/hosts/gpu-1/verify', {}, headers)).statusCode).toBe(403);
  });
});
