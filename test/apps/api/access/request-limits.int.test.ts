import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Problem } from '#contracts/http/problem';
import { startApp, type TestApp } from '../start-app.ts';

describe('the limit of requests', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await startApp({ requestsPerMinute: 10 });
  }, 30_000);
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
    const statuses = new Set<number>();
    for (let guesses = 0; guesses < 310; guesses += 1) statuses.add((await guess()).statusCode);
    expect([...statuses]).toEqual([401, 429]);
    const right = await api.call('GET', '/api/hosts', undefined, { authorization: `Bearer ${api.tokens.admin}` });
    expect(right.statusCode).toBe(200);
  });
});
