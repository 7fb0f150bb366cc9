import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AuditList } from '#contracts/http/access/audit';
import type { Problem } from '#contracts/http/problem';
import type { SourceOrderList, SourceOrderView } from '#contracts/http/source-orders';
import type { SourceList } from '#contracts/http/sources';
import { EventBatch } from '#contracts/worker/worker-events';
import { readSourceOrders } from '#queue/commands/source-rules';
import { sourceOrdersKey } from '#queue/keys';
import { recordBatches } from '../../../../apps/api/background/recorder.ts';
import { tellWorkers } from '../../../../apps/api/sources/tell-workers.ts';
import { startApp, type TestApp } from '../start-app.ts';

const ORIGINS = ['https://a.example', 'https://b.example', 'https://c.example'] as const;
const PATH = '/api/source-orders/ipfs';
const idOf = (origin: string): string => Buffer.from(origin).toString('base64url');
const [A, B, C] = ORIGINS.map(idOf) as [string, string, string];

describe('the order of sources', () => {
  let api: TestApp;
  const admin = () => ({ authorization: `Bearer ${api.tokens.admin}` });

  beforeAll(async () => {
    api = await startApp();
    const at = Date.now();
    const sources = ORIGINS.map((origin, index) => ({
      ...{ layer: 'ipfs', kind: 'ipfs-gateway', origin, place: index + 1, breaker: 'closed', waitMs: 0 },
      ...{ successRate: 1, bytesPerSecond: null, requestsPerMinute: null, connections: null },
    }));
    const told = { inventoryDigest: 'd', storeBytes: 1, freeBytes: 1, fileCount: 1, workerVersion: '1', sources };
    const batch = { version: 1, host: 'gpu-1', bootId: randomUUID(), sequence: 0, sentAt: at };
    await recordBatches(api.deps, [EventBatch.parse({ ...batch, events: [{ type: 'host.report', at, ...told }] })]);
  });
  afterAll(() => api.stop());

  const set = (sources: readonly string[], headers: Record<string, string> = {}) =>
    api.call('PUT', PATH, { sources }, { ...admin(), ...headers });
  const listed = async () => (await api.call('GET', '/api/sources')).json<SourceList>().sources;
  const orderNow = async (): Promise<SourceOrderView> =>
    (await api.call('GET', '/api/source-orders')).json<SourceOrderList>().orders.find(({ layer }) => layer === 'ipfs')!;

  it('ME5 is the one of what is measured until an admin sets another, which says so and is audited', async () => {
    expect(await orderNow()).toEqual({ layer: 'ipfs', sources: [], by: null, at: null, version: '0' });
    expect((await listed()).map(({ id, setPlace }) => [id, setPlace])).toEqual([A, B, C].map((id) => [id, null]));
    const answer = await set([C, A], { 'if-match': '"0"' });
    expect([answer.statusCode, answer.headers.get('etag')]).toEqual([200, '"1"']);
    expect(answer.json<SourceOrderView>()).toMatchObject({ sources: [C, A], by: 'test admin', version: '1' });
    expect(await orderNow()).toEqual(answer.json<SourceOrderView>());
    expect((await listed()).map(({ id, place, setPlace }) => [id, place, setPlace])).toEqual([
      [C, 1, 1],
      [A, 2, 2],
      [B, 3, null],
    ]);
    expect((await listed())[0]!.why).toContain('set 1st by an admin');
    const { entries } = (await api.call('GET', '/api/audit?limit=1', undefined, admin())).json<AuditList>();
    expect(entries[0]).toMatchObject({
      ...{ action: 'setSourceOrder', target: 'source-orders/ipfs', actor: 'test admin', before: { origins: [] } },
      after: { origins: [ORIGINS[2], ORIGINS[0]] },
    });
  });

  it('ME5 M13 is told to workers, again after Redis lost its data, until it is taken back', async () => {
    const told = () => readSourceOrders(api.deps.queues.redis, api.deps.prefix);
    await set([B]);
    expect(await told()).toEqual([{ layer: 'ipfs', origins: [ORIGINS[1]] }]);
    await api.deps.queues.redis.del(sourceOrdersKey(api.deps.prefix));
    await tellWorkers(api.deps);
    expect(await told()).toHaveLength(1);
    await set([]);
    expect(await told()).toEqual([{ layer: 'ipfs', origins: [] }]);
    expect((await listed()).map(({ id }) => id)).toEqual([A, B, C]);
  });

  it('is not replaced by one that was made before another one was set', async () => {
    const { version } = await orderNow();
    await set([B]);
    const late = await set([C], { 'if-match': `"${version}"` });
    expect([late.statusCode, late.json<Problem>().code]).toEqual([412, 'precondition-failed']);
    expect((await orderNow()).sources).toEqual([B]);
  });

  it('is set once when two admins set it at the same moment with the same tag', async () => {
    const headers = { 'if-match': `"${(await orderNow()).version}"` };
    const answers = await Promise.all([set([A], headers), set([C], headers)]);
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, 412]);
  });

  it.each([
    [{}, '/sources'],
    [{ sources: [A, A] }, '/sources'],
    [{ sources: [A, 'no id!'] }, '/sources/1'],
    [{ sources: [A, idOf('https://none.example')] }, '/sources/1'],
  ])('K21 refuses %j and says which field is wrong', async (body, pointer) => {
    const answer = await api.call('PUT', PATH, body, admin());
    expect([answer.statusCode, answer.json<Problem>().errors?.[0]?.pointer]).toEqual([400, pointer]);
  });

  it('is set by admins alone, and only for layers that there are', async () => {
    expect((await api.call('PUT', PATH, { sources: [A] })).statusCode).toBe(403);
    expect((await api.call('PUT', '/api/source-orders/none', { sources: [A] }, admin())).statusCode).toBe(400);
  });
});
