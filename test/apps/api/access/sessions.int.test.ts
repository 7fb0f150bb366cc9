import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { AuditList } from '#contracts/http/access/audit';
import type { SessionList } from '#contracts/http/access/session';
import type { User } from '#contracts/http/access/users';
import type { TestApp } from '../start-app.ts';
import { codeOf, PASSWORD, startApiWithUsers } from './api-with-users.ts';
import { openBrowser, rawRequest, type Browser } from './browser.ts';

const OTHER = 'another long password';

const users = startApiWithUsers();
const { later, asAdmin, makeUser, signedIn } = users;
let api: TestApp;
beforeAll(() => {
  api = users.api();
});

const isIn = async (browser: Browser): Promise<boolean> => (await browser.send('GET', '/api/me')).statusCode === 200;

describe('a session', () => {
  let browser: Browser;
  beforeAll(async () => {
    await makeUser('olga', 'operator');
  });
  beforeEach(async () => {
    browser = await signedIn('olga');
  });

  it('ends when it is signed out, and the next one is another', async () => {
    const { cookie } = { cookie: browser.cookie()! };
    expect((await browser.send('DELETE', '/api/session')).statusCode).toBe(200);
    expect(browser.cookie()).toBeUndefined();
    expect(codeOf(await openBrowser(api).send('GET', '/api/me', undefined, { cookie }))).toEqual([
      401,
      'unauthenticated',
    ]);
    expect((await browser.send('DELETE', '/api/session')).json()).toMatchObject({ signedIn: false });
    expect((await signedIn('olga')).cookie()).not.toBe(cookie);
  });

  it('is over when it was not used for the idle time, and at its end however much it is used', async () => {
    for (let used = 0; used < 23; used += 1) {
      later(3_500_000);
      expect(await isIn(browser)).toBe(true);
    }
    const fresh = await signedIn('olga');
    later(3_601_000);
    expect(await isIn(fresh)).toBe(false);
    expect(await isIn(browser)).toBe(false);
    const busy = await signedIn('olga');
    for (let used = 0; used < 25; used += 1) {
      later(3_500_000);
      await isIn(busy);
    }
    expect(await isIn(busy)).toBe(false);
  });

  it.each([
    ['another password', { password: OTHER }],
    ['another role', { role: 'viewer' }],
    ['being disabled', { disabled: true }],
  ])('ends at once by %s', async (_what, change) => {
    expect(await isIn(browser)).toBe(true);
    expect((await api.call('PATCH', '/api/users/olga', change, asAdmin())).statusCode).toBe(200);
    expect(await isIn(browser)).toBe(false);
    const back = { password: PASSWORD, role: 'operator', disabled: false };
    expect((await api.call('PATCH', '/api/users/olga', back, asAdmin())).json<User>().state).toBe('active');
  });

  it('T43 ends in another browser when the user changes the password, and stays in this one', async () => {
    const elsewhere = await signedIn('olga');
    const wrong = { currentPassword: OTHER, password: OTHER };
    expect(codeOf(await browser.send('POST', '/api/me/password', wrong))).toEqual([403, 'forbidden']);
    const right = { currentPassword: PASSWORD, password: OTHER };
    expect((await browser.send('POST', '/api/me/password', right)).statusCode).toBe(200);
    expect([await isIn(browser), await isIn(elsewhere)]).toEqual([true, false]);
    await api.call('PATCH', '/api/users/olga', { password: PASSWORD }, asAdmin());
  });

  it('is listed with where it came from, and can be ended by its user and by an admin', async () => {
    const elsewhere = await signedIn('olga');
    const { sessions } = (await browser.send('GET', '/api/me/sessions')).json<SessionList>();
    expect(sessions.filter(({ isCurrent }) => isCurrent)).toHaveLength(1);
    expect(sessions[0]).toMatchObject({ ip: '127.0.0.1', userAgent: expect.any(String) });
    const [newest] = sessions;
    expect((await browser.send('DELETE', `/api/me/sessions/${newest!.id}`)).statusCode).toBe(200);
    expect([await isIn(elsewhere), await isIn(browser)]).toEqual([false, true]);
    expect(codeOf(await browser.send('DELETE', `/api/me/sessions/${newest!.id}`))).toEqual([404, 'unknown-session']);
    const left = (await api.call('GET', '/api/users/olga/sessions', undefined, asAdmin())).json<SessionList>();
    const id = left.sessions.find((one) => one.id === sessions.find(({ isCurrent }) => isCurrent)!.id)!.id;
    expect((await api.call('DELETE', `/api/users/olga/sessions/${id}`, undefined, asAdmin())).statusCode).toBe(200);
    expect(await isIn(browser)).toBe(false);
    const all = await api.call('DELETE', '/api/users/olga/sessions', undefined, asAdmin());
    expect(all.json<SessionList>().sessions).toEqual([]);
  });

  it('T43 ends with its user, and the name stays in the audit', async () => {
    await makeUser('gone', 'viewer');
    const gone = await signedIn('gone');
    expect((await api.call('DELETE', '/api/users/gone', undefined, asAdmin())).statusCode).toBe(200);
    expect(await isIn(gone)).toBe(false);
    const { entries } = (await api.call('GET', '/api/audit?actor=gone', undefined, asAdmin())).json<AuditList>();
    expect(entries.map(({ action, target }) => [action, target])).toEqual([['signIn', 'users/gone']]);
  });
});

describe('a request that another site made a browser send', () => {
  let browser: Browser;
  beforeAll(async () => {
    await makeUser('otto', 'operator');
    browser = await signedIn('otto');
  });
  const act = (headers: Record<string, string>) => browser.send('POST', '/api/hosts/none/drain', undefined, headers);

  it.each([
    ['of another site', { 'sec-fetch-site': 'cross-site' }],
    ['of a sibling domain or another port', { 'sec-fetch-site': 'same-site' }],
    [
      'of another origin, by a browser without Sec-Fetch-Site',
      { 'sec-fetch-site': '', origin: 'https://evil.example' },
    ],
    ['of a sandboxed page', { 'sec-fetch-site': '', origin: 'null' }],
  ])('is refused: %s', async (_what, headers) => {
    expect(codeOf(await act(headers))).toEqual([403, 'cross-site']);
  });

  it.each([
    ['of our own pages', { 'sec-fetch-site': 'same-origin' }],
    ['of our own origin, by a browser without Sec-Fetch-Site', { 'sec-fetch-site': '' }],
  ])('is carried out: %s', async (_what, headers) => {
    expect(codeOf(await act({ origin: api.url, ...headers }))).toEqual([404, 'unknown-host']);
  });

  it('T41 is refused for signing in and out too, and when it opens a WebSocket', async () => {
    const other = { 'sec-fetch-site': 'cross-site' };
    const body = { user: 'otto', password: PASSWORD };
    expect(codeOf(await openBrowser(api).send('POST', '/api/session', body, other))).toEqual([403, 'cross-site']);
    expect(codeOf(await browser.send('DELETE', '/api/session', undefined, other))).toEqual([403, 'cross-site']);
    const upgrade = { ...other, connection: 'upgrade', upgrade: 'websocket', cookie: browser.cookie()! };
    expect(await rawRequest(api.url, 'GET', '/api/me', undefined, upgrade)).toMatchObject({ code: 'cross-site' });
  });

  it('T41 has no session by a cookie of the plain name at another host name, which a sibling domain could set', async () => {
    const port = new URL(api.url).port;
    const cookie = browser.cookie()!;
    const at = (host: string) => rawRequest(api.url, 'GET', '/api/me', undefined, { host: `${host}:${port}`, cookie });
    expect([(await at('haulier.example')).status, (await at('localhost')).status]).toEqual([401, 200]);
  });
});
