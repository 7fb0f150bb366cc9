import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Problem } from '#contracts/http/problem';
import { silentLogger } from '#core/logger';
import { RequestCounts } from '../../../../apps/api/access/request-counts.ts';
import { until } from '../../../helpers/until.ts';
import { startApp, type TestApp } from '../start-app.ts';

describe('the limit of requests', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await startApp({ requestsPerMinute: 10 });
    await until(() => api.deps.queues.redis.status === 'ready', { what: 'the API is connected to Redis' });
  });
  afterAll(() => api.stop());

  it('T06 counts for each token, says how many are left, and answers 429 with Retry-After beyond', async () => {
    const ask = () => api.call('GET', '/api/hosts');
    const first = await ask();
    expect(first.headers.get('ratelimit-limit')).toBe('10');
    expect(first.headers.get('ratelimit-remaining')).toBe('9');
    expect(Number(first.headers.get('ratelimit-reset'))).toBeLessThanOrEqual(60);
    for (let asked = 2; asked <= 10; asked += 1) expect((await ask()).statusCode).toBe(200);
    const refused = await ask();
    expect([refused.statusCode, refused.json<Problem>().code]).toEqual([429, 'too-many-requests']);
    expect(refused.json<Problem>().detail).toMatch(
      /^more than 10 requests in a minute with this token: ask again in \d+ s$/,
    );
    const seconds = Number(refused.headers.get('retry-after'));
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(60);
    const other = await api.call('GET', '/api/hosts', undefined, { authorization: `Bearer ${api.tokens.read}` });
    expect(other.statusCode).toBe(200);
    expect((await api.call('GET', '/livez', undefined, { authorization: '' })).statusCode).toBe(200);
  });

  it('T06 gives guesses no further answer, and goes on to let a right token in', async () => {
    const guess = () => api.call('GET', '/api/hosts', undefined, { authorization: 'Bearer a-wrong-guess' });
    // At once, because one after another they take more than the minute of the limit on a slow machine.
    const statuses = (await Promise.all(Array.from({ length: 310 }, guess))).map(({ statusCode }) => statusCode);
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
    const right = await api.call('GET', '/api/hosts', undefined, { authorization: `Bearer ${api.tokens.admin}` });
    expect(right.statusCode).toBe(200);
  });

  const countIn = (counts: RequestCounts, key: string): Promise<{ current: number; ttl: number }> =>
    new Promise((resolve, reject) => {
      counts.incr(key, (error, result) => (error ? reject(error) : resolve(result!)), 60_000);
    });

  it('T20 counts the requests of all processes together, each limit by itself', async () => {
    const [one, other] = [new RequestCounts(api.deps), new RequestCounts(api.deps)];
    const key = randomUUID();
    expect((await countIn(one.child({ countName: 'token' }), key)).current).toBe(1);
    const second = await countIn(other.child({ countName: 'token' }), key);
    expect(second.current).toBe(2);
    expect(second.ttl).toBeGreaterThan(0);
    expect(second.ttl).toBeLessThanOrEqual(60_000);
    expect((await countIn(other.child({ countName: 'address' }), key)).current).toBe(1);
  });

  it('T20 counts by itself while Redis is away, says so once, and together again afterwards', async () => {
    const said: string[] = [];
    const note = (_facts: object | string, text?: string): void => void said.push(text ?? String(_facts));
    const log = { ...silentLogger, warn: note, info: note };
    const away = {
      multi: () => {
        throw new Error('connection is closed');
      },
    };
    const queues = { redis: away as unknown as TestApp['deps']['queues']['redis'] };
    const counts = new RequestCounts({ ...api.deps, queues: queues as TestApp['deps']['queues'], log });
    const key = randomUUID();
    expect((await countIn(counts, key)).current).toBe(1);
    expect((await countIn(counts, key)).current).toBe(2);
    queues.redis = api.deps.queues.redis;
    await until(async () => (await countIn(counts, key)).current === 1, { what: 'Redis counts again' });
    expect(said).toEqual([
      'Redis is away: each API process counts requests for itself',
      'requests are counted together again',
    ]);
  });
});
