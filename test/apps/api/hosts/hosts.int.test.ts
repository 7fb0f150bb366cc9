import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HostOrder } from '#contracts/worker/worker-events';
import type { HostLimitsSet, OrderedVerify } from '#contracts/http/hosts';
import { applyEvents } from '#database/history/event-queries';
import { ordersKey } from '#queue/keys';
import { batch } from '../../../packages/database/fixtures.ts';
import { startApp, type TestApp } from '../start-app.ts';

describe('POST /api/hosts/:name/verify', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await startApp();
    await applyEvents(api.deps.database, [batch([], { host: 'gpu-1' })], new Date());
  });
  afterAll(() => api.stop());

  const kept = async (): Promise<HostOrder[]> => {
    const orders = await api.deps.queues.redis.hgetall(ordersKey(api.deps.prefix, 'gpu-1'));
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

describe('PATCH /api/hosts/:name/limits', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await startApp();
    await applyEvents(api.deps.database, [batch([], { host: 'gpu-1' })], new Date());
  });
  afterAll(() => api.stop());

  const path = '/api/hosts/gpu-1/limits';
  const patch = async (body: object): Promise<HostLimitsSet> => {
    const answer = await api.call('PATCH', path, body);
    expect(answer.statusCode).toBe(200);
    return answer.json<HostLimitsSet>();
  };

  it('EX2 keeps what is set, and answers with all of it', async () => {
    const sources = { 'gateway.example': 5e6, '127.0.0.1:8080': 1 };
    expect(await patch({ workerBytesPerSecond: 2e7, sources })).toEqual({
      ...{ host: 'gpu-1', workerBytesPerSecond: 2e7, sources },
    });
    expect(await patch({ sources: { 'gateway.example': null } })).toEqual({
      ...{ host: 'gpu-1', workerBytesPerSecond: 2e7, sources: { '127.0.0.1:8080': 1 } },
    });
    await patch({ workerBytesPerSecond: null });
    expect(await patch({})).toEqual({ host: 'gpu-1', workerBytesPerSecond: null, sources: { '127.0.0.1:8080': 1 } });
  });

  it.each([
    [{ workerBytesPerSecond: 0 }, '/workerBytesPerSecond'],
    [{ workerBytesPerSecond: 1.5 }, '/workerBytesPerSecond'],
    [{ sources: { 'gateway.example': -1 } }, '/sources/gateway.example'],
    [{ sources: { 'https://gateway.example': 1 } }, '/sources'],
    [{ bytesPerSecond: 1 }, ''],
  ])('EX2 refuses %j and names the field', async (body, pointer) => {
    const answer = await api.call('PATCH', path, body);
    expect(answer.statusCode).toBe(400);
    const { errors } = answer.json<{ errors: { pointer: string }[] }>();
    expect(errors.map((error) => error.pointer)).toContainEqual(expect.stringContaining(pointer));
  });

  it('knows no host that was never heard of, and needs a token that may write', async () => {
    expect((await api.call('PATCH', '/api/hosts/nobody/limits', {})).statusCode).toBe(404);
    const headers = { authorization: `Bearer ${api.tokens.read}` };
    expect((await api.call('PATCH', path, {}, headers)).statusCode).toBe(403);
  });
});
